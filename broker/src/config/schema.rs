//! The shape of one row of the configuration tables: what a key is called, what it may hold, and what it does here.
//!
//! The rows themselves are in [`super::tables`]; everything that parses, describes, alters or documents configuration
//! reads them, and nothing else knows a key's default.

/// Kafka's `ConfigDef.Type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueKind {
    /// `true` or `false`.
    Boolean,
    /// Any text.
    String,
    /// 32 bits, signed.
    Int,
    /// 16 bits, signed.
    Short,
    /// 64 bits, signed.
    Long,
    /// A floating point number.
    Double,
    /// Values between commas.
    List,
    /// The name of a Java class. Nothing here can load one.
    Class,
    /// A secret: never shown, neither to clients nor in the log.
    Password,
}

impl ValueKind {
    /// The number that DescribeConfigs answers with (KIP-569, `DescribeConfigsResponse.ConfigType`).
    pub const fn wire_id(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }

    /// Kafka's name of it, as its documentation and its error messages write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::String => "string",
            Self::Int => "int",
            Self::Short => "short",
            Self::Long => "long",
            Self::Double => "double",
            Self::List => "list",
            Self::Class => "class",
            Self::Password => "password",
        }
    }
}

/// What a value holds when nobody sets it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DefaultValue {
    /// The same as Kafka's (or, for `thalweg.` keys, simply the default).
    Is(&'static str),
    /// No default: null, as in Kafka.
    Unset,
    /// Not Kafka's default, for a reason.
    Differs {
        /// What it is here.
        ours: Option<&'static str>,
        /// What it is in Kafka; `None` for null or "must be given".
        kafka: Option<&'static str>,
        /// Why they differ.
        why: &'static str,
    },
}

impl DefaultValue {
    /// The default as text; `None` is Kafka's null.
    pub const fn text(self) -> Option<&'static str> {
        match self {
            Self::Is(text) => Some(text),
            Self::Unset => None,
            Self::Differs { ours, .. } => ours,
        }
    }
}

/// Which of the values of a [`ValueKind`] are allowed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Check {
    /// Every value of its type.
    Any,
    /// A number not below this.
    AtLeast(i64),
    /// A number within these, both included.
    Between(i64, i64),
    /// A number within the first two, both included, or the third.
    BetweenOr(i64, i64, i64),
    /// A floating point number within these, both included.
    Fraction(f64, f64),
    /// One of these words (for a list: each element is one of them).
    OneOf(&'static [&'static str]),
    /// One of these words in any case.
    OneOfAnyCase(&'static [&'static str]),
    /// Text or a list that is not empty.
    NonEmpty,
    /// `*`, or `partition:broker` pairs (Kafka's `ThrottledReplicaListValidator`).
    ThrottledReplicas,
}

/// Kafka's `ConfigDef.Importance`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Importance {
    /// Look at it before production.
    High,
    /// Look at it when tuning.
    Medium,
    /// Rarely touched.
    Low,
}

impl Importance {
    /// In Kafka's words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// KIP-226: whether a running broker's value can be altered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateMode {
    /// Only by a restart.
    ReadOnly,
    /// For one broker.
    PerBroker,
    /// For one broker, or as the default of all brokers.
    ClusterWide,
}

impl UpdateMode {
    /// Kafka's `dynamicConfigUpdateModes` words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::PerBroker => "per-broker",
            Self::ClusterWide => "cluster-wide",
        }
    }
}

/// What a value does here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// It does what Kafka's documentation promises.
    Used,
    /// Kept and shown, but without effect; the reason is logged once when somebody sets it.
    NoEffect(&'static str),
    /// Without effect, and a broker that went on regardless would do less than it was asked to: anything but the
    /// default, empty or `false` is refused.
    Refused(&'static str),
}

/// One row.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ConfigKey {
    /// The key, as `server.properties` or a topic has it.
    pub name: &'static str,
    /// Its type.
    pub kind: ValueKind,
    /// Its default.
    pub default: DefaultValue,
    /// Its valid values.
    pub check: Check,
    /// Kafka's importance.
    pub importance: Importance,
    /// Whether it can be altered at run time.
    pub mode: UpdateMode,
    /// What it does here.
    pub usage: Use,
    /// Undocumented in Kafka: accepted, but neither described to clients nor in the reference page.
    pub internal: bool,
    /// One or two sentences for people.
    pub doc: &'static str,
}

impl ConfigKey {
    /// A secret's value leaves this process in no answer and no log line.
    pub const fn is_sensitive(&self) -> bool {
        matches!(self.kind, ValueKind::Password)
    }

    /// Whether a value of a [`Use::Refused`] row asks for nothing: the default, nothing, or "no".
    pub fn is_harmless(&self, value: &str) -> bool {
        let value = value.trim();
        value.is_empty() || value.eq_ignore_ascii_case("false") || self.default.text() == Some(value)
    }

    /// Whether APPEND and SUBTRACT make sense.
    pub const fn is_list(&self) -> bool {
        matches!(self.kind, ValueKind::List)
    }
}

/// Rows of a table, one or two lines each: name, type and default, valid values, importance, update mode, use; sentence.
macro_rules! keys {
    ($($name:literal: $kind:ident = $default:expr, $check:expr, $importance:ident, $mode:ident, $usage:expr; $doc:literal)*) => {
        $crate::config::schema::keys!(internal = false; $($name: $kind = $default, $check, $importance, $mode, $usage; $doc)*)
    };
    (internal = $internal:literal; $($name:literal: $kind:ident = $default:expr, $check:expr, $importance:ident, $mode:ident, $usage:expr; $doc:literal)*) => {
        &[$($crate::config::schema::ConfigKey {
            name: $name,
            kind: $crate::config::schema::ValueKind::$kind,
            default: $default,
            check: $check,
            importance: $crate::config::schema::Importance::$importance,
            mode: $crate::config::schema::UpdateMode::$mode,
            usage: $usage,
            internal: $internal,
            doc: $doc,
        }),*]
    };
}
pub(crate) use keys;
