//! Organizations, files and short ways to a cache.
#![allow(dead_code, reason = "each test file uses some of it")]

use cache::{Cache, File};
use domain::{Access, Scope};
use std::str::FromStr;
use uuid::Uuid;

pub const ACCESS: fn(Scope) -> Access = Access::for_operator;

pub fn acme() -> Scope {
    Scope::from_column(Uuid::from_u128(0xacae))
}

pub fn globex() -> Scope {
    Scope::from_column(Uuid::from_u128(0x910b))
}

/// The file as the database's index has it.
pub fn file(path: &str, content: &[u8]) -> File {
    let mut hash = [0; 32];
    hex::decode_to_slice(domain::content_hash(content), &mut hash).unwrap();
    File { path: path.to_owned(), version: 1, hash, size: content.len() as u64 }
}

pub async fn keep(cache: &Cache, owner: Scope, file: &File, content: &[u8]) {
    cache.keep(&ACCESS(owner), owner, &[(file, content)]);
    cache.settle().await;
}

pub async fn keep_index(cache: &Cache, owner: Scope, generation: i64, files: &[File]) {
    cache.keep_index(&ACCESS(owner), owner, generation, files.into());
    cache.settle().await;
}

pub async fn get(cache: &Cache, owner: Scope, file: &File) -> Option<Vec<u8>> {
    cache.contents(&ACCESS(owner), owner, &[file]).await.remove(&file.path)
}

/// A cache in this Redis.
pub async fn over(url: &str) -> Cache {
    Cache::redis(FromStr::from_str(url).unwrap()).await
}
