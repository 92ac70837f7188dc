//! The admin API's face: its routes in one table (`table.rs`), and the OpenAPI document that is made of it (`openapi.rs`).

pub mod openapi;
pub mod query;
pub mod table;
