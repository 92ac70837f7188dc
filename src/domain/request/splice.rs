//! Edits of one JSON object by position: members replaced, removed with their comma, or appended.

use std::ops::Range;

/// Edits gathered for one object whose members lie at known places.
pub struct Splice {
    /// From the first byte of the key to the end of the value.
    members: Vec<Place>,
    /// Written after the last member that stays, each as `"key":value`.
    appended: Vec<String>,
}

struct Place {
    start: usize,
    end: usize,
    edit: Edit,
}

enum Edit {
    Keep,
    Remove,
    Replace { at: Range<usize>, with: String },
}

impl Splice {
    /// No edits yet, over members that begin and end at these bytes, in order.
    pub fn new(members: impl Iterator<Item = (usize, usize)>) -> Splice {
        let members = members.map(|(start, end)| Place { start, end, edit: Edit::Keep }).collect();
        Splice { members, appended: Vec::new() }
    }

    /// Writes `with` over the bytes `at` of the member of that index.
    pub fn replace(&mut self, index: usize, at: Range<usize>, with: String) {
        if let Some(place) = self.members.get_mut(index) {
            place.edit = Edit::Replace { at, with };
        }
    }

    /// Removes the member of that index.
    pub fn remove(&mut self, index: usize) {
        if let Some(place) = self.members.get_mut(index) {
            place.edit = Edit::Remove;
        }
    }

    /// Adds a member, written as `"key":value`, after all others.
    pub fn append(&mut self, member: String) {
        self.appended.push(member);
    }

    /// The body with every edit made.
    pub fn apply(&self, body: &[u8]) -> Vec<u8> {
        self.apply_within(body, 0..body.len())
    }

    /// The bytes `span` of the body, which hold the object, with every edit made.
    ///
    /// A removed member takes its comma and the white space on one side with it: between two members that stay lies what lay
    /// behind the first of them. An object without members has no edits.
    pub fn apply_within(&self, body: &[u8], span: Range<usize>) -> Vec<u8> {
        let (Some(first), Some(last)) = (self.members.first(), self.members.last()) else {
            return slice(body, span).to_vec();
        };
        let mut out = Vec::with_capacity(span.len() + self.added());
        out.extend_from_slice(slice(body, span.start..first.start));
        let mut kept_before: Option<(&Place, &Place)> = None;
        for (index, place) in self.members.iter().enumerate() {
            if matches!(place.edit, Edit::Remove) {
                continue;
            }
            if let Some((before, after)) = kept_before {
                out.extend_from_slice(slice(body, before.end..after.start));
            }
            place.write(&mut out, body);
            kept_before = self.members.get(index + 1).map(|next| (place, next));
        }
        let mut empty = self.members.iter().all(|place| matches!(place.edit, Edit::Remove));
        for member in &self.appended {
            if !empty {
                out.push(b',');
            }
            out.extend_from_slice(member.as_bytes());
            empty = false;
        }
        out.extend_from_slice(slice(body, last.end..span.end));
        out
    }

    /// At most how many bytes the edits add.
    fn added(&self) -> usize {
        let replaced = self.members.iter().map(|place| match &place.edit {
            Edit::Replace { with, .. } => with.len(),
            Edit::Keep | Edit::Remove => 0,
        });
        replaced.sum::<usize>() + self.appended.iter().map(|member| member.len() + 1).sum::<usize>()
    }
}

impl Place {
    fn write(&self, out: &mut Vec<u8>, body: &[u8]) {
        match &self.edit {
            Edit::Keep => out.extend_from_slice(slice(body, self.start..self.end)),
            Edit::Replace { at, with } => {
                out.extend_from_slice(slice(body, self.start..at.start));
                out.extend_from_slice(with.as_bytes());
                out.extend_from_slice(slice(body, at.end..self.end));
            }
            Edit::Remove => {}
        }
    }
}

/// The bytes of a span of the body that was scanned; none if another body is given.
fn slice(body: &[u8], span: Range<usize>) -> &[u8] {
    body.get(span).unwrap_or_default()
}
