//! Anthropic Messages: the wire of Anthropic, and inside Bedrock's InvokeModel and Vertex' `rawPredict`.

pub mod blocks;
pub mod claude;
pub mod decode;
pub mod encode;
pub mod replay;
pub mod request;
pub mod structured;
pub mod target;
pub mod think;
pub mod turns;
pub mod wire;
