//! A second opinion on statements, with nothing in common with the guard: its own tokens, no SQL
//! parser, and far stricter. It knows the few shapes that the store's statements have and refuses
//! everything else.

use std::collections::{BTreeMap, BTreeSet};

/// A word, a sign, or a group in parentheses.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// Lower case.
    Word(String),
    /// `$n`
    Value(usize),
    /// A literal.
    Text(String),
    /// Everything else.
    Sign(String),
    /// What is between parentheses.
    Group(Vec<Token>),
}

use Token::{Group, Sign, Text, Value, Word};

/// Who owns the rows of which table: the column that says so, and whether Global's may be read.
#[derive(Clone, Copy, Debug)]
pub struct Owned {
    pub key: &'static str,
    pub shared: bool,
}

/// The placeholders that must hold the organization, and those that may hold Global instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confined {
    pub organization: BTreeSet<usize>,
    pub readable: BTreeSet<usize>,
    /// The tables it names.
    pub tables: BTreeSet<String>,
}

pub type Tables = BTreeMap<String, Owned>;

/// Proves a statement, or says why not.
pub fn prove(sql: &str, tables: &Tables) -> Result<Confined, String> {
    let mut letters = sql.chars().collect::<Vec<_>>();
    letters.push('\n');
    let mut at = 0;
    let tokens = tokens(&letters, &mut at, 0)?;
    let mut prover = Prover { tables, names: BTreeSet::new(), confined: Confined::default() };
    prover.statement(&tokens)?;
    Ok(prover.confined)
}

fn tokens(letters: &[char], at: &mut usize, depth: usize) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    while *at < letters.len() {
        let letter = letters[*at];
        *at += 1;
        let mut take = |good: fn(char) -> bool| {
            let from = *at - 1;
            while *at < letters.len() && good(letters[*at]) {
                *at += 1;
            }
            letters[from..*at].iter().collect::<String>()
        };
        match letter {
            letter if letter.is_whitespace() => {}
            letter if letter.is_ascii_alphabetic() || letter == '_' => {
                let word = take(|it| it.is_ascii_alphanumeric() || it == '_');
                found.push(Word(word.to_lowercase()));
            }
            letter if letter.is_ascii_digit() => found.push(Text(take(|it| it.is_ascii_digit()))),
            '$' => {
                let number = take(|it| it.is_ascii_digit());
                found.push(Value(number[1..].parse().map_err(|_| "a placeholder".to_owned())?));
            }
            '\'' => found.push(Text(literal(letters, at)?)),
            '(' => found.push(Group(tokens(letters, at, depth + 1)?)),
            ')' if depth > 0 => return Ok(found),
            '=' | ',' | '.' | '*' | '+' | '-' | '<' | '>' | '|' | '%' => {
                found.push(Sign(letter.to_string()));
            }
            '/' if letters.get(*at) != Some(&'*') => found.push(Sign(letter.to_string())),
            other => return Err(format!("the letter `{other}`")),
        }
    }
    if depth == 0 { Ok(found) } else { Err("an open parenthesis".to_owned()) }
}

fn literal(letters: &[char], at: &mut usize) -> Result<String, String> {
    let from = *at;
    while *at < letters.len() {
        *at += 1;
        if letters[*at - 1] == '\'' {
            return Ok(letters[from..*at - 1].iter().collect());
        }
    }
    Err("an open literal".to_owned())
}

/// Words that end a list of tables or conditions.
const ENDS: [&str; 13] = [
    "where",
    "on",
    "group",
    "order",
    "limit",
    "having",
    "returning",
    "set",
    "join",
    "left",
    "cross",
    "inner",
    "for",
];

struct Prover<'a> {
    tables: &'a Tables,
    /// Common table expressions, which are proven where they are written.
    names: BTreeSet<String>,
    confined: Confined,
}

/// A table under the name by which a block speaks of it.
struct Named {
    alias: String,
    owned: Option<(Owned, String)>,
}

fn word(token: Option<&Token>) -> &str {
    match token {
        Some(Word(word)) => word,
        _ => "",
    }
}

impl Prover<'_> {
    fn statement(&mut self, tokens: &[Token]) -> Result<(), String> {
        let mut rest = tokens;
        if word(rest.first()) == "with" {
            rest = self.expressions(&rest[1..])?;
        }
        let sets = split(rest, |token| matches!(token, Word(it) if it == "union"));
        for set in sets {
            let set = if word(set.first()) == "all" { &set[1..] } else { set };
            self.block(set)?;
        }
        Ok(())
    }

    /// `name AS (…), …` and what follows.
    fn expressions<'t>(&mut self, mut rest: &'t [Token]) -> Result<&'t [Token], String> {
        loop {
            let [Word(name), Word(r#as), Group(inner), ..] = rest else {
                return Err("a common table expression".to_owned());
            };
            if r#as != "as" || self.tables.contains_key(name) {
                return Err(format!("the expression `{name}`"));
            }
            self.statement(inner)?;
            self.names.insert(name.clone());
            rest = &rest[3..];
            match rest.first() {
                Some(Sign(comma)) if comma == "," => rest = &rest[1..],
                _ => return Ok(rest),
            }
        }
    }

    fn block(&mut self, tokens: &[Token]) -> Result<(), String> {
        match word(tokens.first()) {
            "select" => self.select(tokens).map(|_| ()),
            "update" => {
                if clause(tokens, "set").is_none_or(changes_owner) {
                    return Err("an assignment to an owner".to_owned());
                }
                self.select(tokens).map(|_| ())
            }
            "delete" => self.select(tokens).map(|_| ()),
            "insert" => self.insert(tokens),
            other => Err(format!("a statement that begins with `{other}`")),
        }
    }

    /// Whatever has tables and conditions; the tables.
    fn select(&mut self, tokens: &[Token]) -> Result<Vec<Named>, String> {
        let mut named = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                Word(it)
                    if ["natural", "using", "lateral", "intersect", "except"]
                        .contains(&it.as_str()) =>
                {
                    return Err(format!("`{it}`"));
                }
                Word(it) if it == "from" || it == "join" || (it == "update" && at == 0) => {
                    self.relations(&tokens[at + 1..], &mut named)?;
                }
                Group(inner) if ["select", "with"].contains(&word(inner.first())) => {
                    self.statement(inner)?;
                }
                Group(inner) => self.inside(inner)?,
                _ => {}
            }
        }
        let mut conditions = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            if matches!(token, Word(it) if it == "where" || it == "on") {
                conditions.extend(conjuncts(until_end(&tokens[at + 1..])));
            }
        }
        let writes = word(tokens.first()) != "select";
        self.confine(&named, &conditions, writes)?;
        Ok(named)
    }

    /// Sub-selects may be anywhere; each is proven for itself.
    fn inside(&mut self, tokens: &[Token]) -> Result<(), String> {
        for token in tokens {
            if let Group(inner) = token {
                match word(inner.first()) {
                    "select" | "with" => self.statement(inner)?,
                    _ => self.inside(inner)?,
                }
            }
        }
        if ["select", "with"].contains(&word(tokens.first())) {
            return self.statement(tokens);
        }
        Ok(())
    }

    fn relations(&mut self, tokens: &[Token], named: &mut Vec<Named>) -> Result<(), String> {
        for relation in split(until_end(tokens), |it| matches!(it, Sign(sign) if sign == ",")) {
            let alias = match relation {
                [_] => None,
                [_, Word(alias)] => Some(alias),
                [_, Word(r#as), Word(alias)] if r#as == "as" => Some(alias),
                other => return Err(format!("the relation {other:?}")),
            };
            let (name, derived) = match &relation[0] {
                Word(name) => (name.clone(), false),
                // Proven as a group of its block.
                Group(_) => (String::new(), true),
                other => return Err(format!("the relation {other:?}")),
            };
            let alias = alias.cloned().unwrap_or_else(|| name.clone());
            if alias.is_empty() || named.iter().any(|it| it.alias == alias) {
                return Err(format!("the alias `{alias}`"));
            }
            let owned = match self.tables.get(&name) {
                Some(owned) => {
                    self.confined.tables.insert(name.clone());
                    Some((*owned, name))
                }
                None if derived || self.names.contains(&name) => None,
                None => return Err(format!("the table `{name}`")),
            };
            named.push(Named { alias, owned });
        }
        Ok(())
    }

    /// Each owned table is tied to a placeholder, or to one that is.
    fn confine(
        &mut self,
        named: &[Named],
        conditions: &[&[Token]],
        writes: bool,
    ) -> Result<(), String> {
        let single = named.len() == 1;
        let mut tied = BTreeSet::new();
        let mut links = Vec::new();
        for condition in conditions {
            let sides: Vec<_> =
                split(condition, |it| matches!(it, Sign(sign) if sign == "=")).collect();
            if let [left, [Value(number)]] = sides.as_slice()
                && let Some(at) = speaks_of(left, named, single)
            {
                // Global's rows of a shared table may be read in the same way as one's own.
                let shared = named[at].owned.as_ref().is_some_and(|(owned, _)| owned.shared);
                match shared && !writes {
                    true => self.confined.readable.insert(*number),
                    false => self.confined.organization.insert(*number),
                };
                tied.insert(at);
            } else if let [left, right] = sides.as_slice()
                && let (Some(left), Some(right)) =
                    (speaks_of(left, named, single), speaks_of(right, named, single))
            {
                links.push((left, right));
            } else if let Some((at, numbers)) = either(condition, named, single) {
                let shared = named[at].owned.as_ref().is_some_and(|(owned, _)| owned.shared);
                if !shared || writes {
                    return Err("a list of organizations".to_owned());
                }
                self.confined.readable.extend(numbers);
                tied.insert(at);
            }
        }
        for _ in named {
            for (left, right) in &links {
                if tied.contains(left) || tied.contains(right) {
                    tied.extend([*left, *right]);
                }
            }
        }
        for (at, it) in named.iter().enumerate() {
            if let (Some((_, name)), false) = (&it.owned, tied.contains(&at)) {
                return Err(format!("nothing confines `{name}`"));
            }
        }
        Ok(())
    }

    fn insert(&mut self, tokens: &[Token]) -> Result<(), String> {
        let [_, Word(into), Word(name), Group(columns), rest @ ..] = tokens else {
            return Err("this form of insert".to_owned());
        };
        let owned = self.tables.get(name).ok_or_else(|| format!("the table `{name}`"))?;
        self.confined.tables.insert(name.clone());
        let columns: Vec<_> = split(columns, |it| *it == Sign(",".to_owned())).collect();
        let at = columns.iter().position(|it| *it == [Word(owned.key.to_owned())]);
        let (Some(at), true) = (at, into == "into") else {
            return Err("an insert without an owner".to_owned());
        };
        let conflict = rest.iter().position(|it| *it == Word("on".to_owned()));
        let values_end = conflict.unwrap_or(rest.len());
        match word(rest.first()) {
            "values" => {
                for group in &rest[1..values_end] {
                    let row = match group {
                        Group(row) => row,
                        Sign(comma) if comma == "," => continue,
                        Word(returning) if returning == "returning" => break,
                        other => return Err(format!("the row {other:?}")),
                    };
                    self.inside(row)?;
                    let row: Vec<_> = split(row, |it| *it == Sign(",".to_owned())).collect();
                    self.given(row.get(at).copied(), row.len() == columns.len(), None)?;
                }
            }
            "select" => {
                let select = &rest[..values_end];
                let named = self.select(select)?;
                let from = select.iter().position(|it| *it == Word("from".to_owned()));
                let list = &select[1..from.unwrap_or(select.len())];
                let list: Vec<_> = split(list, |it| *it == Sign(",".to_owned())).collect();
                self.given(list.get(at).copied(), list.len() == columns.len(), Some(&named))?;
            }
            other => return Err(format!("an insert of `{other}`")),
        }
        match conflict.map(|at| &rest[at..]) {
            None => Ok(()),
            Some([_, Word(_), Group(target), Word(_), action @ ..]) => {
                let aimed = target.first() == Some(&Word(owned.key.to_owned()))
                    || (owned.key == "id" && word(action.first()) == "nothing");
                let kept = word(action.first()) == "nothing"
                    || clause(action, "set").is_some_and(|set| !changes_owner(set));
                if aimed && kept { Ok(()) } else { Err("this form of upsert".to_owned()) }
            }
            Some(other) => Err(format!("the conflict {other:?}")),
        }
    }

    /// The owner of a new row is a placeholder, or that of a confined row.
    fn given(
        &mut self,
        value: Option<&[Token]>,
        whole: bool,
        named: Option<&[Named]>,
    ) -> Result<(), String> {
        match value {
            Some([Value(number)]) if whole => {
                self.confined.organization.insert(*number);
                Ok(())
            }
            Some(value) if whole => {
                let named = named.ok_or("an owner that is not a placeholder")?;
                let at = speaks_of(value, named, named.len() == 1);
                let strict = at.is_some_and(|at| {
                    named[at].owned.as_ref().is_some_and(|(owned, _)| !owned.shared)
                });
                if strict { Ok(()) } else { Err("an owner of unknown origin".to_owned()) }
            }
            _ => Err("a row of another length".to_owned()),
        }
    }
}

fn split(tokens: &[Token], at: impl Fn(&Token) -> bool) -> impl Iterator<Item = &[Token]> {
    tokens.split(move |token| at(token))
}

fn until_end(tokens: &[Token]) -> &[Token] {
    let end = tokens.iter().position(|it| ENDS.contains(&word(Some(it))));
    &tokens[..end.unwrap_or(tokens.len())]
}

/// The tokens after `name`, up to the next clause.
fn clause<'t>(tokens: &'t [Token], name: &str) -> Option<&'t [Token]> {
    let at = tokens.iter().position(|it| word(Some(it)) == name)?;
    Some(until_end(&tokens[at + 1..]))
}

/// An owner, or `id`, on the left of an assignment.
fn changes_owner(assignments: &[Token]) -> bool {
    split(assignments, |it| *it == Sign(",".to_owned())).any(|one| {
        let target = word(one.first());
        !matches!(one.first(), Some(Word(_))) || target == "organization_id" || target == "id"
    })
}

/// The conditions that all have to hold; none when any of them may not.
fn conjuncts(tokens: &[Token]) -> Vec<&[Token]> {
    let loose = ["or", "not", "case", "between"];
    if tokens.iter().any(|it| loose.contains(&word(Some(it))) && word(Some(it)) != "not")
        || word(tokens.first()) == "not"
    {
        return Vec::new();
    }
    split(tokens, |it| *it == Word("and".to_owned())).collect()
}

/// The relation whose owner `tokens` are: `alias.organization_id`, or bare when there is only one.
fn speaks_of(tokens: &[Token], named: &[Named], single: bool) -> Option<usize> {
    let (alias, column) = match tokens {
        [Word(column)] if single => (None, column),
        [Word(alias), Sign(dot), Word(column)] if dot == "." => (Some(alias), column),
        _ => return None,
    };
    let at = match alias {
        None => 0,
        Some(alias) => named.iter().position(|it| it.alias == *alias)?,
    };
    let key = named[at].owned.as_ref().map(|(owned, _)| owned.key);
    (key == Some(column.as_str())).then_some(at)
}

/// `owner IN ($a, $b)`
fn either(tokens: &[Token], named: &[Named], single: bool) -> Option<(usize, [usize; 2])> {
    let (owner, list) = tokens.split_at(tokens.len().checked_sub(2)?);
    let [Word(r#in), Group(list)] = list else { return None };
    let [Value(a), Sign(comma), Value(b)] = list.as_slice() else { return None };
    let at = speaks_of(owner, named, single)?;
    (r#in == "in" && comma == ",").then_some((at, [*a, *b]))
}
