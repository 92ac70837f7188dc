//! OpenAI Chat Completions: the wire of OpenAI, Azure, Gemini's compatible endpoint and most other hosts.

pub mod calls;
pub mod decode;
pub mod encode;
pub mod hosts;
pub mod messages_out;
pub mod order;
pub mod replay;
pub mod request;
pub mod signature;
pub mod target;
pub mod turns;
pub mod wire;
