pub mod record;
pub use record::WalRecord;
