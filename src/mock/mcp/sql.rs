//! A toy of SQL: `select * from orders [where column = 'value'] [limit n]`, and an honest error for
//! everything else.

use serde_json::Value;

use super::orders::{COLUMNS, ORDERS};

/// The rows that a query asks for, as an array of objects.
pub(crate) fn query(sql: &str, limit: usize) -> Result<Value, String> {
    let mut tokens = tokens(sql)?.into_iter().peekable();
    for expected in ["select", "*", "from", "orders"] {
        if !tokens.next().is_some_and(|it| it.is_word(expected)) {
            return Err(HELP.into());
        }
    }
    let mut condition = None;
    if tokens.next_if(|it| it.is_word("where")).is_some() {
        let (Some(Token::Word(column)), Some(Token::Word(equals)), Some(value)) =
            (tokens.next(), tokens.next(), tokens.next())
        else {
            return Err(HELP.into());
        };
        let column = column.to_ascii_lowercase();
        if equals != "=" || !COLUMNS.contains(&column.as_str()) {
            return Err(HELP.into());
        }
        condition = Some((column, value));
    }
    let mut limit = limit;
    if tokens.next_if(|it| it.is_word("limit")).is_some() {
        let Some(Token::Word(n)) = tokens.next() else { return Err(HELP.into()) };
        limit = limit.min(n.parse().map_err(|_| HELP)?);
    }
    if tokens.next().is_some() {
        return Err(HELP.into());
    }
    let rows = ORDERS.iter().map(|it| it.to_json());
    let matching = rows.filter(|row| {
        condition
            .as_ref()
            .is_none_or(|(column, value)| row.get(column).is_some_and(|it| value.is(it)))
    });
    Ok(matching.take(limit).collect())
}

enum Token {
    Text(String),
    Word(String),
}

impl Token {
    fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(it) if it.eq_ignore_ascii_case(word))
    }

    fn is(&self, value: &Value) -> bool {
        match self {
            Self::Text(text) => value.as_str() == Some(text),
            Self::Word(number) => value.as_u64().is_some_and(|it| number.parse() == Ok(it)),
        }
    }
}

fn tokens(sql: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = sql.trim().trim_end_matches(';').trim_end();
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix('\'') {
            let (text, after) = text(after)?;
            found.push(Token::Text(text));
            rest = after;
        } else {
            let symbol = "*=".contains(first);
            let end = |it: char| it.is_whitespace() || "*='".contains(it);
            let length = if symbol { 1 } else { rest.find(end).unwrap_or(rest.len()) };
            let (word, after) = rest.split_at(length);
            found.push(Token::Word(word.to_owned()));
            rest = after;
        }
        rest = rest.trim_start();
    }
    Ok(found)
}

/// The rest of a quoted text, in which two quotes stand for one.
fn text(mut rest: &str) -> Result<(String, &str), String> {
    let mut text = String::new();
    loop {
        let (part, after) = rest.split_once('\'').ok_or("a quoted text does not end")?;
        text.push_str(part);
        let Some(more) = after.strip_prefix('\'') else { return Ok((text, after)) };
        text.push('\'');
        rest = more;
    }
}

const HELP: &str =
    "this mock understands only: select * from orders [where column = 'value'] [limit n]";

#[cfg(test)]
mod tests {
    use super::query;

    fn ids(sql: &str) -> Result<Vec<u64>, String> {
        let rows = query(sql, 100)?;
        Ok(rows.as_array().unwrap().iter().map(|it| it["id"].as_u64().unwrap()).collect())
    }

    #[test]
    fn selects() {
        assert_eq!(ids("select * from orders").unwrap().len(), 12);
        assert_eq!(ids("SELECT * FROM orders WHERE status='refunded';").unwrap(), [1007]);
        assert_eq!(ids("select*from orders where customer = 'O''Malley & Sons'").unwrap(), [1007]);
        assert_eq!(ids("select * from orders where id = 1003").unwrap(), [1003]);
        assert_eq!(ids("select * from orders limit 2").unwrap(), [1001, 1002]);
    }

    #[test]
    fn refuses_the_rest() {
        for sql in ["", "drop table orders", "select id from orders", "select * from orders x"] {
            assert!(ids(sql).is_err(), "{sql}");
        }
        assert_eq!(
            ids("select * from orders where id = '").unwrap_err(),
            "a quoted text does not end"
        );
    }
}
