//! OpenAI Chat Completions: the wire of OpenAI, Azure, Gemini's compatible endpoint and most other hosts.

pub mod calls;
pub mod decode;
pub mod encode;
pub mod request;
pub mod turns;
pub mod wire;
