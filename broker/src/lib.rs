//! The broker process. See `ARCHITECTURE.md` for the map.

pub mod admin;
pub mod cluster;
pub mod config;
pub mod controller;
pub mod coordinator;
pub mod dispatch;
pub mod errors;
pub mod handlers;
pub mod limits;
pub mod metadata;
pub mod metrics;
pub mod net;
pub mod partition;
pub mod peer;
pub mod preflight;
pub mod probe;
pub mod reactor;
pub mod settings;
pub mod share;
pub mod telemetry;
