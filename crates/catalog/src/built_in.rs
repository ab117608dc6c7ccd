//! The tables that the build script generates from the data files in `events`.
//!
//! The included file is `Debug` output of the catalogue's types. It is Rust code that names
//! variants without their type, so this file imports the variants.

use crate::caliper_template::ActorSource::{BodyAuthor, BodyGrader, MetadataUser};
use crate::caliper_template::Computed::{AssetClass, AssetName, AssetStrictClass, Base, GraderUrn};
use crate::caliper_template::CourseSource::{Nowhere, OfContext, OfField};
use crate::caliper_template::Part::{ActorId, AssetKind, AssetList, IdOf, Literal};
use crate::caliper_template::ValueSource::{
    Array, Computed, Constant, Entity, Extensions, OfBody, OfMetadata, Urn,
};
use crate::caliper_template::{CaliperTemplate, DialectTemplate, TemplateProperty};
use crate::column::Column::{Before, ComputedBy, Flag, Own, Related, Word};
use crate::event_type::Context::{Ambient, Login, Row};
use crate::event_type::MadeBy::{ByAction, ByRecord};
use crate::event_type::MetadataUse::{InJob, InNeither, InRequest, OfRow};
use crate::event_type::{EventType, MetadataField};
use crate::field::IdScope::{Global, Local};
use crate::field::Kind::{
    Boolean, Id, Ids, Integer, Number, Object, Objects, Text, Texts, Timestamp,
};
use crate::field::Precision::{Day, Moment};
use crate::field::Privacy::{Content, DirectIdentifier, Nothing, QuasiIdentifier};
use crate::field::Spelling::{Digits, Numeral};
use crate::field::{Field, IdKind, Values};
use crate::list::List;

include!(concat!(env!("OUT_DIR"), "/built_in.rs"));
