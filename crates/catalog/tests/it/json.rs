//! Strategies for JSON of all shapes and spellings, and for events.

use std::collections::HashSet;

use proptest::prelude::*;
use proptest::sample::select;

/// A value whose scalars keep their spelling.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Scalar(String),
    Array(Vec<Self>),
    Object(Vec<Member>),
}

/// A member: the key in its spelling, the value.
pub(crate) type Member = (String, Node);

/// A string in its spelling with quotes, and its UTF-16.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) spelled: String,
    pub(crate) units: Vec<u16>,
}

/// An event that admission must accept.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) time: String,
    /// The members of the event in order. The member without a key is the metadata.
    members: Vec<(Option<String>, Node)>,
}

/// White space for the places between tokens.
#[derive(Clone, Debug)]
pub(crate) struct Spaces(Vec<&'static str>);

impl Spaces {
    /// No white space.
    pub(crate) fn none() -> Self {
        Self(vec![""])
    }
}

impl Node {
    /// Returns the value without white space between tokens.
    pub(crate) fn compact(&self) -> String {
        self.spaced(&Spaces::none())
    }

    /// Returns the value with white space between tokens.
    pub(crate) fn spaced(&self, spaces: &Spaces) -> String {
        let mut out = String::new();
        let mut spaces = spaces.0.iter().copied().cycle();
        self.write(&mut out, &mut || spaces.next().unwrap_or_default());
        out
    }

    fn write(&self, out: &mut String, space: &mut impl FnMut() -> &'static str) {
        out.push_str(space());
        match self {
            Self::Scalar(spelled) => out.push_str(spelled),
            Self::Array(elements) => {
                out.push('[');
                out.push_str(space());
                for (index, element) in elements.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    element.write(out, space);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                out.push_str(space());
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(space());
                    out.push_str(key);
                    out.push_str(space());
                    out.push(':');
                    value.write(out, space);
                }
                out.push('}');
            }
        }
        out.push_str(space());
    }
}

impl Draft {
    /// Returns the event with its metadata under this key.
    pub(crate) fn spelled(&self, metadata: &str) -> Node {
        let metadata = format!("\"{metadata}\"");
        let members = self.members.iter();
        Node::Object(
            members
                .map(|(key, node)| (key.as_ref().unwrap_or(&metadata).clone(), node.clone()))
                .collect(),
        )
    }
}

/// Any character, spelled as itself or as an escape.
fn character() -> impl Strategy<Value = Text> {
    let familiar = select(vec![
        'a', 'Z', '0', ' ', '/', '"', '\\', '\n', '\u{1}', 'é', '😀',
    ]);
    (prop_oneof![familiar, any::<char>()], 0..6_u8).prop_map(|(character, way)| {
        let units = character.encode_utf16(&mut [0; 2]).to_vec();
        let short = match character {
            '"' | '\\' => Some(format!("\\{character}")),
            '/' if way == 0 => Some(r"\/".to_owned()),
            '\n' if way > 0 => Some(r"\n".to_owned()),
            '\t' if way > 0 => Some(r"\t".to_owned()),
            _ => None,
        };
        let spelled = match (way, short) {
            (0, None) => escapes(&units),
            (1, _) => escapes(&units).to_uppercase().replace('U', "u"),
            (_, Some(short)) => short,
            (_, None) if character < ' ' => escapes(&units),
            (_, None) => character.to_string(),
        };
        Text { spelled, units }
    })
}

fn escapes(units: &[u16]) -> String {
    let escapes: Vec<_> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
    escapes.concat()
}

/// An unpaired surrogate, which must be spelled as an escape.
fn unpaired_surrogate() -> impl Strategy<Value = Text> {
    (0xd800..=0xdfff_u16).prop_map(|unit| Text {
        spelled: format!("\\u{unit:04x}"),
        units: vec![unit],
    })
}

fn quote(pieces: Vec<Text>) -> Text {
    let spelled: String = pieces.iter().map(|piece| piece.spelled.as_str()).collect();
    Text {
        spelled: format!("\"{spelled}\""),
        units: pieces.into_iter().flat_map(|piece| piece.units).collect(),
    }
}

/// Any string without unpaired surrogates.
pub(crate) fn text() -> impl Strategy<Value = Text> {
    prop::collection::vec(character(), 0..12).prop_map(quote)
}

/// Any string that the grammar allows.
pub(crate) fn any_text() -> impl Strategy<Value = Text> {
    let piece = prop_oneof![12 => character(), 1 => unpaired_surrogate()];
    prop::collection::vec(piece, 0..20).prop_map(quote)
}

/// A short string from a small alphabet, so that equal strings are likely.
pub(crate) fn likely_text() -> impl Strategy<Value = Text> {
    let character = select(vec!["a", "\\u0061", "é", "\\u00e9", "\\u00E9", "/", "\\/"]);
    let surrogates = select(vec![
        "\\ud83d",
        "\\ude00",
        "\\uDE00",
        "\\ud83d\\ude00",
        "😀",
    ]);
    let piece = prop_oneof![character, surrogates].prop_map(|spelled| {
        let units = match spelled {
            "a" | "\\u0061" => vec![0x61],
            "/" | "\\/" => vec![0x2f],
            "\\ud83d" => vec![0xd83d],
            "\\ude00" | "\\uDE00" => vec![0xde00],
            "\\ud83d\\ude00" | "😀" => vec![0xd83d, 0xde00],
            _ => vec![0xe9],
        };
        Text {
            spelled: spelled.to_owned(),
            units,
        }
    });
    prop::collection::vec(piece, 0..4).prop_map(quote)
}

pub(crate) fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,6})?"
}

fn scalar() -> impl Strategy<Value = Node> {
    let word = select(vec!["true", "false", "null"]).prop_map(str::to_owned);
    let string = any_text().prop_map(|text| text.spelled);
    prop_oneof![word, number(), string].prop_map(Node::Scalar)
}

pub(crate) fn node() -> impl Strategy<Value = Node> {
    scalar().prop_recursive(4, 24, 5, |inner| {
        let key = any_text().prop_map(|key| key.spelled);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Node::Array),
            prop::collection::vec((key, inner), 0..5).prop_map(Node::Object),
        ]
    })
}

pub(crate) fn spaces() -> impl Strategy<Value = Spaces> {
    let space = select(vec!["", "", "", " ", "\n", "\t", "\r\n", "  \n    "]);
    prop::collection::vec(space, 1..20).prop_map(Spaces)
}

/// Members whose keys differ from each other and from `reserved`.
fn members(reserved: &'static [&'static str]) -> impl Strategy<Value = Vec<Member>> {
    prop::collection::vec((text(), node()), 0..6).prop_map(|members| {
        let mut seen: HashSet<Vec<u16>> = reserved
            .iter()
            .map(|key| key.encode_utf16().collect())
            .collect();
        let mut members = members;
        members.retain(|(key, _)| seen.insert(key.units.clone()));
        members
            .into_iter()
            .map(|(key, node)| (key.spelled, node))
            .collect()
    })
}

pub(crate) fn draft() -> impl Strategy<Value = Draft> {
    let name = "[a-z]{1,8}(_[a-zé😀]{1,8}){0,3}";
    let time = "20[0-9]{2}-1[0-2]-[0-2][1-8][T ][01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z";
    let name_and_time = (name, time);
    let metadata = members(&["event_name", "event_time"]);
    let around = members(&["metadata", "attributes", "body"]);
    (name_and_time, metadata, members(&[]), around)
        .prop_flat_map(|((name, time), mut metadata, body, around)| {
            metadata.push((
                r#""event_name""#.to_owned(),
                Node::Scalar(format!("\"{name}\"")),
            ));
            metadata.push((
                r#""event_time""#.to_owned(),
                Node::Scalar(format!("\"{time}\"")),
            ));
            let mut members: Vec<_> = around
                .into_iter()
                .map(|(key, node)| (Some(key), node))
                .collect();
            members.push((Some(r#""body""#.to_owned()), Node::Object(body)));
            (
                Just(name),
                Just(time),
                Just(metadata).prop_shuffle(),
                Just(members),
            )
        })
        .prop_flat_map(|(name, time, metadata, mut members)| {
            members.push((None, Node::Object(metadata)));
            (Just(name), Just(time), Just(members).prop_shuffle())
        })
        .prop_map(|(name, time, members)| Draft {
            name,
            time,
            members,
        })
}

/// Damage to a text: bytes are overwritten, inserted, removed or cut off.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    Overwrite(prop::sample::Index, u8),
    Insert(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    CutOff(prop::sample::Index),
}

impl Damage {
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Overwrite(index, byte) => *index.get_mut(bytes) = *byte,
            Self::Insert(index, byte) => bytes.insert(index.index(bytes.len()), *byte),
            Self::Remove(index) => drop(bytes.remove(index.index(bytes.len()))),
            Self::CutOff(index) => bytes.truncate(index.index(bytes.len())),
        }
    }
}

pub(crate) fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    let byte = || prop_oneof![4 => select(br#"{}[],:"\ 019.eE+-u/ntf"#.to_vec()), 1 => any::<u8>()];
    prop_oneof![
        8 => (index(), byte()).prop_map(|(index, byte)| Damage::Overwrite(index, byte)),
        8 => (index(), byte()).prop_map(|(index, byte)| Damage::Insert(index, byte)),
        8 => index().prop_map(Damage::Remove),
        1 => index().prop_map(Damage::CutOff),
    ]
}
