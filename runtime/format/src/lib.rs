//! The device program: its bytes, sections and operation records.
