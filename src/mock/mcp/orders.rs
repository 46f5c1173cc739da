//! The data of every organisation: a few orders of nobody.

use serde_json::{Value, json};

/// The columns of the table, in order.
pub(crate) const COLUMNS: [&str; 6] =
    ["id", "customer", "status", "total_cents", "currency", "placed_at"];

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    id: u32,
    customer: &'static str,
    status: &'static str,
    total_cents: u32,
    currency: &'static str,
    placed_at: &'static str,
}

impl Order {
    /// The row as an object.
    pub(crate) fn to_json(self) -> Value {
        json!({
            "id": self.id,
            "customer": self.customer,
            "status": self.status,
            "total_cents": self.total_cents,
            "currency": self.currency,
            "placed_at": self.placed_at,
        })
    }
}

const fn order(
    id: u32,
    customer: &'static str,
    status: &'static str,
    total_cents: u32,
    currency: &'static str,
    placed_at: &'static str,
) -> Order {
    Order { id, customer, status, total_cents, currency, placed_at }
}

/// The table.
pub(crate) const ORDERS: [Order; 12] = [
    order(1001, "Nordlicht GmbH", "paid", 129_900, "EUR", "2025-01-07"),
    order(1002, "Blue Heron Ltd", "open", 4_550, "GBP", "2025-01-09"),
    order(1003, "Société Aurore", "paid", 87_000, "EUR", "2025-01-15"),
    order(1004, "Kestrel Inc", "cancelled", 23_100, "USD", "2025-02-02"),
    order(1005, "Nordlicht GmbH", "open", 310_000, "EUR", "2025-02-11"),
    order(1006, "山田商店", "paid", 1_280_000, "JPY", "2025-02-20"),
    order(1007, "O'Malley & Sons", "refunded", 9_999, "EUR", "2025-03-01"),
    order(1008, "Kestrel Inc", "paid", 56_400, "USD", "2025-03-03"),
    order(1009, "Blue Heron Ltd", "paid", 12_000, "GBP", "2025-03-18"),
    order(1010, "Società Vento", "open", 75_250, "EUR", "2025-04-04"),
    order(1011, "Kestrel Inc", "open", 18_700, "USD", "2025-04-05"),
    order(1012, "Nordlicht GmbH", "paid", 220_500, "EUR", "2025-04-22"),
];
