//! The object's database: constant statements, positional values, whole results. Never `one()`, which hangs the request on
//! any number of rows but one; never a boolean, which is stored as text.

use wasm_bindgen::prelude::*;
use worker::{Result, SqlStorage, SqlStorageValue, Storage};

/// A value to bind.
pub type Value = SqlStorageValue;

/// One row of an answer.
pub struct Line(Vec<Value>);

/// The database of one object.
pub struct Db {
    sql: SqlStorage,
    storage: Storage,
}

#[wasm_bindgen]
extern "C" {
    type Transactions;
    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &Transactions,
        work: &mut dyn FnMut() -> std::result::Result<JsValue, JsValue>,
    ) -> std::result::Result<JsValue, JsValue>;
}

impl Db {
    /// The database behind an object's storage.
    pub fn new(storage: Storage) -> Db {
        Db { sql: storage.sql(), storage }
    }

    /// Runs a statement for its effect.
    pub fn run(&self, statement: &str, values: Vec<Value>) -> Result<()> {
        self.sql.exec(statement, values).map(|_| ())
    }

    /// Runs a statement for its rows.
    pub fn rows(&self, statement: &str, values: Vec<Value>) -> Result<Vec<Line>> {
        self.looked(statement, values).map(|(lines, _)| lines)
    }

    /// The same, with how many rows the database looked at for them.
    pub fn looked(&self, statement: &str, values: Vec<Value>) -> Result<(Vec<Line>, u64)> {
        let cursor = self.sql.exec(statement, values)?;
        let lines = cursor.raw().map(|line| line.map(Line)).collect::<Result<_>>()?;
        Ok((lines, cursor.rows_read() as u64))
    }

    /// Does all of `work` or nothing.
    pub fn transaction<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let (mut work, mut outcome) = (Some(work), None);
        let mut call = || {
            let done = match work.take() {
                Some(work) => work(),
                None => Err("the transaction ran twice".into()),
            };
            let thrown = done.as_ref().err().map(|error| JsValue::from_str(&error.to_string()));
            outcome = Some(done);
            thrown.map_or(Ok(JsValue::UNDEFINED), Err)
        };
        let raw: &JsValue = self.storage.as_raw().as_ref();
        let thrown = raw.unchecked_ref::<Transactions>().transaction_sync(&mut call).err();
        match (outcome, thrown) {
            (Some(Ok(_)), Some(thrown)) => Err(thrown.into()),
            (Some(outcome), _) => outcome,
            (None, thrown) => Err(thrown.unwrap_or(JsValue::UNDEFINED).into()),
        }
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.sql.database_size() as u64
    }
}

impl Line {
    /// A text column; empty when it is NULL or no text.
    pub fn text(&self, column: usize) -> &str {
        self.maybe_text(column).unwrap_or_default()
    }

    /// A text column that may be NULL.
    pub fn maybe_text(&self, column: usize) -> Option<&str> {
        match self.0.get(column) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A column of bytes; empty when it is none.
    pub fn bytes(&mut self, column: usize) -> Vec<u8> {
        match self.0.get_mut(column) {
            Some(Value::Blob(bytes)) => std::mem::take(bytes),
            _ => Vec::new(),
        }
    }

    /// A whole number that is not negative; 0 when it is NULL or none.
    pub fn number(&self, column: usize) -> u64 {
        match self.0.get(column) {
            Some(Value::Integer(n)) => u64::try_from(*n).unwrap_or(0),
            Some(Value::Float(n)) => *n as u64,
            _ => 0,
        }
    }
}

/// A number to bind. What JavaScript cannot hold is cut to what it can.
pub fn number(n: u64) -> Value {
    Value::Integer(n.min((1 << 53) - 1) as i64)
}

/// A text to bind.
pub fn text(text: impl Into<String>) -> Value {
    Value::String(text.into())
}

/// A text or NULL to bind.
pub fn maybe(value: Option<impl Into<String>>) -> Value {
    value.map_or(Value::Null, |value| Value::String(value.into()))
}
