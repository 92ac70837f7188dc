//! Which tool call a piece belongs to. Hosts leave out ids, repeat index 0, rotate ids between pieces, or give a whole call
//! at once: calls are told apart by id first, then by index, then by a new name after whole arguments.

use crate::domain::dialect::decoder::Malformed;
use crate::domain::dialect::ids;
use crate::domain::dialect::json_text::Balance;
use crate::domain::dialect::{CallKind, Event};

/// Tool calls of one answer: every piece is looked for among them. Models make a few at a time.
const MAX_CALLS: usize = 1_000;

/// A piece of a call as it stood on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct Piece<'a> {
    pub index: Option<u64>,
    pub id: &'a str,
    pub name: &'a str,
    pub arguments: &'a str,
    pub kind: CallKind,
    /// No id will come: `function_call` has none.
    pub alone: bool,
}

/// The tool calls of one answer.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    calls: Vec<Call>,
    /// What made-up ids are derived from, so that two answers never share one.
    seed: String,
}

#[derive(Clone, Debug, Default)]
struct Call {
    wire: Option<u64>,
    id: String,
    name: String,
    kind: CallKind,
    /// Arguments that came before the name.
    held: String,
    balance: Balance,
    /// Its dense index, once the client was told of it.
    told: Option<usize>,
    any: bool,
    ended: bool,
}

impl Calls {
    /// Whether there is a call.
    pub fn any(&self) -> bool {
        self.calls.iter().any(Call::is_one)
    }

    /// Sets what made-up ids are derived from: the answer's id.
    pub fn seed(&mut self, seed: &str) {
        self.seed = seed.to_owned();
    }

    /// Takes a whole call in, as answers that are no streams list them: it is another one whatever its id and name, and there is
    /// nothing to wait for, not even a name.
    ///
    /// # Errors
    /// [`Malformed`] for one call too many.
    pub fn whole(&mut self, call: Piece<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.take(None, call, out)?;
        self.over(self.calls.len().saturating_sub(1), out);
        Ok(())
    }

    /// Takes a piece in.
    ///
    /// # Errors
    /// [`Malformed`] for a piece of one call too many.
    pub fn feed(&mut self, piece: Piece<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        self.take(self.find(&piece), piece, out)
    }

    /// Takes a piece of that call in, or of another one.
    fn take(&mut self, known: Option<usize>, piece: Piece<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let at = match known {
            Some(at) => at,
            None if self.calls.len() == MAX_CALLS => {
                return Err(Malformed(format!("more than {MAX_CALLS} tool calls in one answer")));
            }
            None => {
                self.end_whole(out);
                self.calls.push(Call { wire: piece.index, kind: piece.kind, ..Call::default() });
                self.calls.len() - 1
            }
        };
        let told = self.told();
        let seed = self.seed.as_str();
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        if call.id.is_empty() {
            call.id.push_str(piece.id);
        }
        if call.name.is_empty() {
            call.name.push_str(piece.name);
            // A piece that holds an id alone is of neither kind.
            call.kind = piece.kind;
        }
        // Only of JSON can it be told where it ends.
        if call.kind == CallKind::Function {
            call.balance.feed(piece.arguments);
        }
        let ready = !call.name.is_empty() && (piece.alone || !call.id.is_empty() || !piece.arguments.is_empty());
        if call.told.is_none() && ready {
            call.start(told, seed, out);
        }
        call.arguments(piece.arguments, out);
        Ok(())
    }

    /// The answer is over: every call is told of and ended. An id alone was none.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        for at in 0..self.calls.len() {
            if self.calls.get(at).is_some_and(Call::is_one) {
                self.over(at, out);
            }
        }
    }

    fn over(&mut self, at: usize, out: &mut Vec<Event>) {
        let told = self.told();
        let Some(call) = self.calls.get_mut(at) else { return };
        if call.told.is_none() {
            call.start(told, &self.seed, out);
        }
        call.end(out);
    }

    fn told(&self) -> usize {
        self.calls.iter().filter(|call| call.told.is_some()).count()
    }

    fn find(&self, piece: &Piece<'_>) -> Option<usize> {
        let is_named = |call: &Call| !piece.id.is_empty() && call.id == piece.id;
        let at_its_place = self.calls.iter().position(|call| is_named(call) && call.wire == piece.index);
        let known = || self.calls.iter().position(|call| is_named(call) && !self.is_elsewhere(call, piece));
        if let Some(at) = at_its_place.or_else(known) {
            return Some(at);
        }
        let at = match piece.index {
            Some(index) => self.calls.iter().rposition(|call| call.wire == Some(index))?,
            None => self.calls.len().checked_sub(1)?,
        };
        let call = self.calls.get(at)?;
        match self.is_another(call, piece) {
            true => None,
            false => Some(at),
        }
    }

    /// A piece that names a tool again begins another call, unless the known one still lacks its name, or is not whole.
    fn is_another(&self, call: &Call, piece: &Piece<'_>) -> bool {
        if call.name.is_empty() || piece.name.is_empty() {
            return false;
        }
        let other_id = !piece.id.is_empty() && !call.id.is_empty() && call.id != piece.id;
        other_id || call.balance.is_whole()
    }

    /// Hosts that give all calls of an answer one id number them, and name each.
    fn is_elsewhere(&self, call: &Call, piece: &Piece<'_>) -> bool {
        let places = call.wire.zip(piece.index);
        places.is_some_and(|(known, this)| known != this) && self.is_another(call, piece)
    }

    /// Calls whose arguments are whole are over when the next one begins.
    fn end_whole(&mut self, out: &mut Vec<Event>) {
        for call in &mut self.calls {
            if call.told.is_some() && call.balance.is_whole() {
                call.end(out);
            }
        }
    }
}

impl Call {
    /// Whether more than an id came of it.
    fn is_one(&self) -> bool {
        self.told.is_some() || !self.name.is_empty() || !self.held.is_empty()
    }

    fn start(&mut self, index: usize, seed: &str, out: &mut Vec<Event>) {
        if self.id.is_empty() {
            self.id = ids::made(seed, index);
        }
        self.told = Some(index);
        let (id, name) = (self.id.clone(), self.name.clone());
        out.push(Event::ToolStart { index, id, name, kind: self.kind });
        let held = std::mem::take(&mut self.held);
        self.arguments(&held, out);
    }

    fn arguments(&mut self, json: &str, out: &mut Vec<Event>) {
        if json.is_empty() || self.ended {
            return;
        }
        match self.told {
            None => self.held.push_str(json),
            Some(index) => {
                self.any = true;
                out.push(Event::ToolArguments { index, json: json.to_owned() });
            }
        }
    }

    fn end(&mut self, out: &mut Vec<Event>) {
        let Some(index) = self.told.filter(|_| !self.ended) else { return };
        if !self.any && self.kind == CallKind::Function {
            self.arguments("{}", out);
        }
        self.ended = true;
        out.push(Event::ToolEnd { index });
    }
}
