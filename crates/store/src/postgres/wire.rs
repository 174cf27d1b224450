//! A connection on which any number of statements leave together and are answered together.
//!
//! What comes before a `Sync` the server does in one transaction, unless it is told to begin a longer
//! one, and answers in one packet. Drivers end every statement with a `Sync` of its own, and each costs
//! the server a packet and the client a wake-up: for role, context and a look-up by key that is as
//! much again as the look-up. So what follows the greeting is said here. How bytes make messages and
//! values is the driver's own library.

use super::{
    errors::Said,
    greeting::Socket,
    rows::{Columns, Row},
    values::Parameter,
};
use postgres_protocol::message::{backend::Message, frontend};
use sqlx::Error;
use std::{
    collections::HashMap,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use tokio::io::AsyncWrite;
use tokio_postgres::types::{Type, private::BytesMut};
use tokio_util::io::poll_read_buf;

/// What is read at once, in bytes.
const PACKET: usize = 8 * 1024;

/// An open connection, and the statements that are prepared on it.
pub(super) struct Wire {
    socket: Box<dyn Socket>,
    /// What the socket has not taken yet.
    outbox: BytesMut,
    /// What nobody has read yet.
    inbox: BytesMut,
    /// The socket has taken something that it may still hold back.
    unflushed: bool,
    /// How many ends the server has been told and has not answered.
    owed: usize,
    /// Whether a transaction is open, as the server said last.
    inside: bool,
    /// Nothing more comes from it.
    closed: bool,
    known: HashMap<String, Known>,
    /// How many names the server has been given; none is given twice.
    names: usize,
}

/// A statement that the server keeps.
struct Known {
    name: String,
    kinds: Vec<Type>,
    columns: Columns,
}

/// A statement and its values.
pub(super) struct Piece<'a> {
    pub(super) sql: &'a str,
    pub(super) values: &'a [Parameter],
    /// Whether the server is to keep it prepared, because it will be asked again here.
    pub(super) keep: bool,
}

/// What the server said to a statement.
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    /// How many rows it touched.
    pub(super) touched: u64,
}

/// A statement that is on its way.
struct Sent<'a> {
    piece: &'a Piece<'a>,
    /// What the server is to know it by, if it has not known it.
    name: Option<String>,
    /// Nothing before the server has said them.
    columns: Option<Columns>,
}

impl Piece<'_> {
    fn kinds(&self) -> impl Iterator<Item = Type> {
        self.values.iter().map(Parameter::kind)
    }

    fn is_like(&self, other: &Piece<'_>) -> bool {
        self.sql == other.sql && self.kinds().eq(other.kinds())
    }
}

impl Known {
    fn fits(&self, piece: &Piece<'_>) -> bool {
        piece.kinds().eq(self.kinds.iter().cloned())
    }
}

impl Wire {
    pub(super) fn new(socket: Box<dyn Socket>) -> Self {
        Self {
            socket,
            outbox: BytesMut::new(),
            inbox: BytesMut::new(),
            unflushed: false,
            owed: 0,
            inside: false,
            closed: false,
            known: HashMap::new(),
            names: 0,
        }
    }

    /// Asks all of these in one piece. They are done in this order, and none after one that fails.
    pub(super) async fn ask(&mut self, pieces: &[Piece<'_>]) -> Result<Vec<Answer>, Error> {
        let sent = self.send(pieces)?;
        self.hear_earlier().await?;
        self.hear(sent).await
    }

    /// Runs these words, in which there are no values.
    pub(super) async fn run(&mut self, words: &str) -> Result<(), Error> {
        self.say(words)?;
        self.hear_earlier().await?;
        self.hear(Vec::new()).await.map(drop)
    }

    /// Whether nothing is underway and no transaction is open.
    pub(super) fn is_quiet(&self) -> bool {
        self.owed == 0 && !self.inside
    }

    /// Leaves the transaction without waiting for the server to say that it has: whoever asks next
    /// passes over that. False if the words could not leave at once, or others are underway.
    pub(super) fn leave(&mut self) -> bool {
        if self.owed > 0 || self.closed || self.say(ROLLBACK).is_err() {
            return false;
        }
        self.inside = false;
        let mut unwoken = Context::from_waker(Waker::noop());
        matches!(self.push(&mut unwoken), Poll::Ready(Ok(())))
    }

    /// Waits for everything that is underway, and takes back what it did.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        self.run(ROLLBACK).await
    }

    /// Whether the server has hung up, as far as is known without asking it.
    pub(super) fn is_closed(&mut self) -> bool {
        let mut unwoken = Context::from_waker(Waker::noop());
        match self.pull(&mut unwoken) {
            Poll::Ready(Ok(())) => self.owed == 0 && self.is_last_word(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => self.closed,
        }
    }

    /// Whether what has come unasked is why the server hangs up.
    fn is_last_word(&mut self) -> bool {
        loop {
            match Message::parse(&mut self.inbox) {
                Ok(Some(Message::ErrorResponse(_))) | Err(_) => return true,
                Ok(Some(_)) => {}
                Ok(None) => return false,
            }
        }
    }

    /// Writes statements and one end for all of them.
    fn send<'a>(&mut self, pieces: &'a [Piece<'a>]) -> Result<Vec<Sent<'a>>, Error> {
        let before = self.outbox.len();
        let mut sent = Vec::with_capacity(pieces.len());
        for piece in pieces {
            match self.write(piece, &sent) {
                Ok(written) => sent.push(written),
                Err(error) => {
                    // Half a message must not leave.
                    self.outbox.truncate(before);
                    return Err(Error::Encode(error.into()));
                }
            }
        }
        frontend::sync(&mut self.outbox);
        self.owed += 1;
        Ok(sent)
    }

    fn write<'a>(&mut self, piece: &'a Piece<'a>, before: &[Sent<'a>]) -> io::Result<Sent<'a>> {
        if let Some(known) = self.known.get(piece.sql).filter(|known| known.fits(piece)) {
            bind(&known.name, piece.values, &mut self.outbox)?;
            return Ok(Sent { piece, name: None, columns: Some(known.columns.clone()) });
        }
        let same = before.iter().filter(|sent| piece.keep && sent.piece.is_like(piece));
        if let Some(name) = same.filter_map(|sent| sent.name.as_ref()).next() {
            bind(name, piece.values, &mut self.outbox)?;
            return Ok(Sent { piece, name: None, columns: None });
        }
        let name = match piece.keep {
            true => self.new_name(),
            false => String::new(),
        };
        let kinds = piece.kinds().map(|kind| kind.oid());
        frontend::parse(&name, piece.sql, kinds, &mut self.outbox)?;
        frontend::describe(b'S', &name, &mut self.outbox)?;
        bind(&name, piece.values, &mut self.outbox)?;
        Ok(Sent { piece, name: Some(name), columns: None })
    }

    fn new_name(&mut self) -> String {
        self.names += 1;
        format!("s{}", self.names)
    }

    fn say(&mut self, words: &str) -> Result<(), Error> {
        frontend::query(words, &mut self.outbox)?;
        self.owed += 1;
        Ok(())
    }

    /// Passes over the answers to everything but the last that was sent.
    async fn hear_earlier(&mut self) -> Result<(), Error> {
        while self.owed > 1 {
            if let Message::ReadyForQuery(_) = self.message().await? {
                self.owed -= 1;
            }
        }
        Ok(())
    }

    /// The answers to the last that was sent.
    async fn hear(&mut self, sent: Vec<Sent<'_>>) -> Result<Vec<Answer>, Error> {
        let (mut answers, mut rows) = (Vec::with_capacity(sent.len()), Vec::new());
        let mut sent = sent.into_iter();
        let mut current = sent.next();
        let mut failed = None;
        loop {
            // Before a server hangs up it says why.
            let message = self.message().await.map_err(|error| failed.take().unwrap_or(error))?;
            match message {
                Message::RowDescription(fields) => {
                    self.learn(current.as_mut(), Columns::new(&fields)?);
                }
                Message::NoData => self.learn(current.as_mut(), Columns::default()),
                Message::DataRow(cells) => {
                    let columns = current.as_ref().and_then(|sent| self.columns(sent));
                    rows.push(Row::new(columns.unwrap_or_default(), cells)?);
                }
                Message::CommandComplete(done) => {
                    let touched = touched(done.tag()?);
                    answers.push(Answer { rows: std::mem::take(&mut rows), touched });
                    current = sent.next();
                }
                Message::ErrorResponse(words) => failed = Some(Said::error(&words)?),
                Message::ReadyForQuery(state) => {
                    self.owed -= 1;
                    self.inside = state.status() != OUTSIDE;
                    return failed.map_or(Ok(answers), Err);
                }
                _ => {}
            }
        }
    }

    /// Keeps what the server says of a statement that it has not known before.
    fn learn(&mut self, sent: Option<&mut Sent<'_>>, columns: Columns) {
        let Some(sent) = sent else { return };
        sent.columns = Some(columns.clone());
        if let Some(name) = sent.name.clone().filter(|_| sent.piece.keep) {
            let kinds = sent.piece.kinds().collect();
            self.known.insert(sent.piece.sql.to_owned(), Known { name, kinds, columns });
        }
    }

    /// Its own, or those of one like it that was before it in the same piece.
    fn columns(&self, sent: &Sent<'_>) -> Option<Columns> {
        let like_it = || self.known.get(sent.piece.sql).map(|known| known.columns.clone());
        sent.columns.clone().or_else(like_it)
    }

    /// The next message, and on the way there everything that is to leave.
    async fn message(&mut self) -> Result<Message, Error> {
        loop {
            if let Some(message) = self.next_message()? {
                return Ok(message);
            }
            poll_fn(|context| {
                // Both ways at once: a server that cannot get rid of its answers reads no further.
                if let Poll::Ready(Err(error)) = self.push(context) {
                    return Poll::Ready(Err(error));
                }
                self.pull(context)
            })
            .await?;
        }
    }

    fn next_message(&mut self) -> Result<Option<Message>, Error> {
        Message::parse(&mut self.inbox).map_err(|error| {
            self.closed = true;
            Error::Protocol(error.to_string())
        })
    }

    /// Ready when the socket has taken everything.
    fn push(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbox.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(context, &self.outbox));
            let written = self.checked(written)?;
            let _gone = self.outbox.split_to(written);
            self.unflushed = true;
        }
        if self.unflushed {
            let flushed = ready!(Pin::new(&mut self.socket).poll_flush(context));
            self.checked(flushed)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when something has come.
    fn pull(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inbox.reserve(PACKET);
        let read = ready!(poll_read_buf(Pin::new(&mut self.socket), context, &mut self.inbox));
        let read = match read {
            Ok(0) => Err(io::Error::new(io::ErrorKind::ConnectionReset, HUNG_UP)),
            read => read,
        };
        self.checked(read)?;
        Poll::Ready(Ok(()))
    }

    fn checked<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        self.closed |= done.is_err();
        done
    }
}

/// A server that is not told writes into its log that a client was lost.
impl Drop for Wire {
    fn drop(&mut self) {
        frontend::terminate(&mut self.outbox);
        let mut unwoken = Context::from_waker(Waker::noop());
        let _told_or_gone = self.push(&mut unwoken);
    }
}

const ROLLBACK: &str = "ROLLBACK";

const HUNG_UP: &str = "the server has closed the connection";

/// What the server says of itself when no transaction is open.
const OUTSIDE: u8 = b'I';

/// Values and rows travel in the binary format.
const BINARY: i16 = 1;

fn bind(name: &str, values: &[Parameter], out: &mut BytesMut) -> io::Result<()> {
    let write = |value: &Parameter, out: &mut BytesMut| value.write(out);
    frontend::bind("", name, [BINARY], values, write, [BINARY], out).map_err(
        |error| match error {
            frontend::BindError::Conversion(error) => io::Error::other(error),
            frontend::BindError::Serialization(error) => error,
        },
    )?;
    frontend::execute("", 0, out)
}

/// The number at the end of what the server calls a statement that is done, as in `UPDATE 3`.
fn touched(tag: &str) -> u64 {
    tag.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
