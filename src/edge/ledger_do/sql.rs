//! The object's database: constant statements, positional values, whole results. Never `one()`, which hangs the request on
//! any number of rows but one; never a boolean, which is stored as text.

use crate::edge::glue::rows;
use js_sys::{Array, Int32Array, Uint8Array};
use wasm_bindgen::prelude::*;
use worker::{Result, SqlStorage, SqlStorageValue, Storage};

/// A value to bind.
pub type Value = SqlStorageValue;

/// One row of an answer.
pub struct Line(Vec<Value>);

/// Rows of an answer, in one text. `ends` says where each column of each row ends; NULL is one less than that, negated.
pub struct Table {
    text: String,
    ends: Vec<i32>,
}

/// One row of a [`Table`].
#[derive(Clone, Copy)]
pub struct Cells<'a> {
    table: &'a Table,
    first: usize,
}

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

    /// The same for rows that are not kept: each is in memory alone.
    pub fn each(&self, statement: &str, values: Vec<Value>) -> Result<impl Iterator<Item = Result<Line>>> {
        Ok(self.sql.exec(statement, values)?.raw().map(|line| line.map(Line)))
    }

    /// The same, with how many rows the database looked at for them.
    pub fn looked(&self, statement: &str, values: Vec<Value>) -> Result<(Vec<Line>, u64)> {
        let cursor = self.sql.exec(statement, values)?;
        let lines = cursor.raw().map(|line| line.map(Line)).collect::<Result<_>>()?;
        Ok((lines, cursor.rows_read() as u64))
    }

    /// The same for many rows of text and numbers, which cross all at once.
    pub fn table(&self, statement: &str, values: Vec<Value>) -> Result<Table> {
        let values: Array = values.into_iter().map(JsValue::from).collect();
        let raw: &JsValue = self.storage.as_raw().as_ref();
        let (bytes, ends) = rows(raw, statement, &values).map(|found| (found.get(0), found.get(1)))?;
        let text = String::from_utf8(bytes.unchecked_into::<Uint8Array>().to_vec());
        Ok(Table { text: text.map_err(|error| error.to_string())?, ends: ends.unchecked_into::<Int32Array>().to_vec() })
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

impl Table {
    /// Its rows, of so many columns each.
    pub fn lines(&self, columns: usize) -> impl Iterator<Item = Cells<'_>> {
        (0..self.ends.len()).step_by(columns.max(1)).map(|first| Cells { table: self, first })
    }

    /// How many rows of so many columns.
    pub fn len(&self, columns: usize) -> usize {
        self.ends.len() / columns.max(1)
    }

    fn end(&self, at: usize) -> usize {
        let end = self.ends.get(at).copied().unwrap_or_default();
        usize::try_from(if end < 0 { -1 - end } else { end }).unwrap_or_default()
    }
}

impl<'a> Cells<'a> {
    /// A column; `None` when it is NULL.
    pub fn text(&self, column: usize) -> Option<&'a str> {
        let at = self.first + column;
        let start = at.checked_sub(1).map_or(0, |before| self.table.end(before));
        self.table.ends.get(at).filter(|end| **end >= 0)?;
        self.table.text.get(start..self.table.end(at))
    }

    /// A whole number that is not negative; 0 when it is NULL or none.
    pub fn number(&self, column: usize) -> u64 {
        self.text(column).and_then(|text| text.parse().ok()).unwrap_or_default()
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

/// Bytes to bind; NULL where there are none.
pub fn blob(bytes: Vec<u8>) -> Value {
    if bytes.is_empty() { Value::Null } else { Value::Blob(bytes) }
}

/// A text or NULL to bind.
pub fn maybe(value: Option<impl Into<String>>) -> Value {
    value.map_or(Value::Null, |value| Value::String(value.into()))
}
