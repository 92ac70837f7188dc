//! Bedrock Converse: the wire of every model on Bedrock that is not Anthropic's. No client speaks it.
//!
//! ```text
//! request   { system, messages, inferenceConfig, toolConfig }; model and stream are in the path
//! answer    { output: { message: { role, content: [block] } }, stopReason, usage }
//! stream    frames: messageStart (contentBlockStart contentBlockDelta* contentBlockStop)* messageStop metadata
//! block     { text } | { toolUse: { toolUseId, name, input } } | { reasoningContent } | { image } | { document } | { toolResult }
//! ```
//!
//! A text block has no contentBlockStart. Recorded: requests, answers, streams with text, calls and reasoning. Not recorded, by
//! the API reference: exceptions within a stream, guardrails, cache points, documents, `malformed_*` stop reasons.

pub mod blocks;
pub mod decode;
pub mod target;
pub mod wire;
