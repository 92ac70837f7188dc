//! Anthropic Messages: the wire of Anthropic, and inside Bedrock's InvokeModel and Vertex' `rawPredict`.

pub mod decode;
pub mod encode;
pub mod request;
pub mod turns;
pub mod wire;
