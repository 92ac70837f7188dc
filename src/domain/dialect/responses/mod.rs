//! OpenAI Responses: what its clients ask and get, and what targets of that wire are sent and answer.
//!
//! ```text
//! request   instructions, input: text | items (message, function_call, function_call_output, reasoning, ...), tools, text, ...
//! answer    { id, object: "response", status, output: [message | function_call | reasoning], usage, ... }
//! stream    event: <type> \n data: { type, sequence_number, ... }    created ... completed | incomplete | failed, no [DONE]
//! ```
//!
//! What only OpenAI can hold (earlier responses, stored prompts, conversations, hosted tools) crosses no boundary: the hop
//! is skipped with the feature's name.

pub mod decode;
pub mod encode;
pub mod items;
pub mod output;
pub mod replay;
pub mod request;
pub mod shell;
pub mod target;
pub mod turns_out;
pub mod wire;

pub use shell::TRANSLATED;
