//! The admin API's face: its routes in one table (`table.rs`), the shapes of its answers (`shapes.rs`), and the OpenAPI document
//! that is made of both (`openapi.rs`).

pub mod openapi;
pub mod query;
pub mod shapes;
pub mod table;
