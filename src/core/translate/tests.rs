//! Both translators, without any IO.
