//! What model calls cost, for applications that do not report it.

use std::collections::HashMap;

use super::error::{SnapshotError, SnapshotErrorKind};
use crate::v1;

/// Where no currency is named.
const DEFAULT_CURRENCY: &str = "USD";

const MILLION: u128 = 1_000_000;

/// Prices of models in one currency.
#[derive(Debug, Clone)]
pub(crate) struct PriceTable {
    currency: Box<str>,
    prices: HashMap<Box<str>, Price>,
}

/// Prices of one model in billionths of the currency per million tokens.
#[derive(Debug, Clone, Copy)]
struct Price {
    input: u64,
    output: u64,
    cached_input: u64,
}

/// Tokens of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Tokens in, cached ones included.
    pub(crate) input: u64,
    /// Of these, tokens read from a cache.
    pub(crate) cached_input: u64,
    /// Tokens out.
    pub(crate) output: u64,
}

impl PriceTable {
    pub(super) fn compile(messages: &[v1::Price]) -> Result<Self, SnapshotError> {
        let named = messages.iter().map(|price| price.currency.as_str());
        let mut currencies = named.map(or_default);
        let currency = currencies.next().unwrap_or(DEFAULT_CURRENCY);
        if currencies.any(|other| other != currency) {
            let kind = SnapshotErrorKind::OutOfRange("all prices must be in one currency");
            return Err(kind.at("prices"));
        }
        let mut prices = HashMap::new();
        for message in messages {
            let price = Price {
                input: message.input_nanos_per_million,
                output: message.output_nanos_per_million,
                cached_input: message
                    .cached_input_nanos_per_million
                    .unwrap_or(message.input_nanos_per_million),
            };
            if prices
                .insert(message.model.as_str().into(), price)
                .is_some()
            {
                return Err(SnapshotErrorKind::Duplicate(message.model.clone()).at("prices"));
            }
        }
        Ok(Self {
            currency: currency.into(),
            prices,
        })
    }

    /// Whether costs in this currency can be counted; empty means US dollars.
    pub(crate) fn is_currency(&self, currency: &str) -> bool {
        or_default(currency) == &*self.currency
    }

    /// Billionths of the currency, rounded half up; `None` for a model without a price.
    /// Saturates at `i64::MAX`.
    pub(crate) fn cost_nanos(&self, model: &str, usage: Usage) -> Option<i64> {
        let price = self.prices.get(model)?;
        let plain_input = usage.input.saturating_sub(usage.cached_input);
        let parts = [
            (plain_input, price.input),
            (usage.cached_input, price.cached_input),
            (usage.output, price.output),
        ];
        let product = |(tokens, price)| u128::from(tokens) * u128::from(price);
        let sum = parts.into_iter().map(product).fold(0, u128::saturating_add);
        let nanos = sum.saturating_add(MILLION / 2) / MILLION;
        Some(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

fn or_default(currency: &str) -> &str {
    if currency.is_empty() {
        DEFAULT_CURRENCY
    } else {
        currency
    }
}
