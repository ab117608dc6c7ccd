//! House rules as tests: everything is in `tests/it`.
