//! What the texts among the settings may be: lists of names, and patterns.

use chrono_tz::TZ_VARIANTS;
use iso_currency::{Currency, IntoEnumIterator};

/// A well-formed language tag (RFC 5646) without extended languages, which nobody should use any
/// more: language, script, region, variants, extensions, private use.
pub(super) const LOCALE: &str = "^[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?\
    (-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*(-[A-WYZa-wyz0-9](-[A-Za-z0-9]{2,8})+)*\
    (-[Xx](-[A-Za-z0-9]{1,8})+)?$";

/// `*`, `*.NAME`, `NAME` or an IPv4 address, each with `:PORT` or without. The last part of a name
/// starts with a letter, so that no address is taken for one.
pub(super) const HOST: &str = "^(\\*|(\\*\\.)?\
    ([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)*[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?|\
    ((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\
    )(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?$";

/// The names of the IANA time zones.
pub(super) fn time_zones() -> Vec<&'static str> {
    TZ_VARIANTS.iter().map(|zone| zone.name()).collect()
}

/// The codes of ISO 4217.
pub(super) fn currencies() -> Vec<&'static str> {
    Currency::iter().map(|currency| currency.code()).collect()
}
