//! Hit ratios of eviction policies over recorded traces and made loads.
//!
//! `cargo bench --bench simulator -- [--traces FOLDER] [--only LOAD] [--held-out] [--variants] [--bytes] [--cost] [--json FILE] [--document FILE]`
//!
//! `--held-out` is for the loads that nothing was chosen by. The traces are looked for in `../shared/traces`, and left out if they are not there; `xz` unpacks them.
//! `--document` puts all tables into `docs/eviction.md`. `--variants` compares the shipped policy with itself, parts taken out and constants turned; `--bytes` bounds
//! bytes and not entries; `--cost` measures nanoseconds instead.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of some thousands, and parts of them"
)]

mod belady;
mod bytes;
mod cost;
mod counts;
mod document;
mod knobs;
mod lifelike;
mod lists;
mod load;
mod rivals;
mod shipped;
mod table;
mod tinylfu;
mod tried;
mod variant;

use std::io::{Error, Result, Write, stdout};
use std::path::Path;

use knobs::Knobs;
use load::Load;
use rivals::{Arc, Cache, Queue, S3Fifo, Sieve};
use shipped::Shipped;
use table::{Row, Table};
use tinylfu::{TinyLfu, WTinyLfu};
use variant::Variant;

/// Makes a cache of so many entries for keys below a number.
type Maker = Box<dyn Fn(usize, usize) -> Option<Box<dyn Cache>>>;

/// A policy by its name.
type Contestant = (String, Maker);

fn contestant<C: Cache + 'static>(
    name: &str,
    make: impl Fn(usize, usize) -> C + 'static,
) -> Contestant {
    let boxed = move |entries, keys| Some(Box::new(make(entries, keys)) as Box<dyn Cache>);
    (name.to_owned(), Box::new(boxed))
}

fn shipped(name: &str, shards: usize) -> Contestant {
    let make = move |entries, _| Some(Box::new(Shipped::new(entries, shards)?) as Box<dyn Cache>);
    (name.to_owned(), Box::new(make))
}

fn field() -> Vec<Contestant> {
    vec![
        shipped("ours", 1),
        shipped("4 shards", 4),
        contestant("FIFO", Queue::<false>::new),
        contestant("LRU", Queue::<true>::new),
        contestant("SIEVE", Sieve::new),
        contestant("S3-FIFO", S3Fifo::new),
        contestant("ARC", Arc::new),
        contestant("W-TLFU 1%", |entries, keys| {
            WTinyLfu::new(entries, keys, false)
        }),
        contestant("W-TLFU cl.", |entries, keys| {
            WTinyLfu::new(entries, keys, true)
        }),
        contestant("TinyLFU", TinyLfu::new),
    ]
}

fn variants(knobs: Vec<(&'static str, Knobs)>) -> Vec<Contestant> {
    let variant = |(name, knobs): (&str, Knobs)| {
        contestant(name, move |entries, keys| {
            Variant::new(&knobs, entries, keys)
        })
    };
    knobs.into_iter().map(variant).collect()
}

/// Percent of requests served.
fn ratio(make: &Maker, requests: &[u32], entries: usize) -> f64 {
    let Some(mut cache) = make(entries, load::keys(requests)) else {
        return f64::NAN;
    };
    let hits = requests.iter().filter(|&&key| cache.request(key)).count();
    100.0 * hits as f64 / requests.len() as f64
}

fn compare(contestants: &[Contestant], loads: &[Load], with_limit: bool) -> Table {
    let lru = contestant("LRU", Queue::<true>::new).1;
    let mut table = Table {
        policies: contestants.iter().map(|(name, _)| name.clone()).collect(),
        traces: loads
            .iter()
            .filter(|load| load.is_trace)
            .map(|load| load.sizes.len())
            .sum(),
        rows: Vec::new(),
        lru: Vec::new(),
        limit: Vec::new(),
    };
    for Load {
        name,
        requests,
        sizes,
        ..
    } in loads
    {
        for &entries in sizes {
            let ratios = contestants
                .iter()
                .map(|(_, make)| ratio(make, requests, entries))
                .collect();
            table.rows.push(Row {
                load: name.clone(),
                entries,
                ratios,
            });
            table.lru.push(ratio(&lru, requests, entries));
            let limit = with_limit.then(|| belady::hits(requests, load::keys(requests), entries));
            table
                .limit
                .push(limit.map_or(f64::NAN, |hits| 100.0 * hits as f64 / requests.len() as f64));
        }
    }
    table
}

/// The word after an option.
fn value(arguments: &[String], option: &str) -> Option<String> {
    let at = arguments.iter().position(|argument| argument == option)?;
    arguments.get(at + 1).cloned()
}

/// The shipped policy against the others: in full, in brief, and for programs.
fn field_tables(loads: &[Load]) -> std::result::Result<[String; 3], std::fmt::Error> {
    let table = compare(&field(), loads, true);
    Ok([table.in_full()?, table.in_brief()?, table.json()?])
}

/// Where the bound is one of bytes: in brief, and in full.
fn bytes_tables(loads: &[Load]) -> std::result::Result<String, std::fmt::Error> {
    let table = bytes::compare(loads);
    Ok(format!("{}\n{}", table.in_brief()?, table.in_full()?))
}

/// Against itself: parts, constants, and constants chosen with a trace held out.
fn variant_tables(loads: &[Load]) -> std::result::Result<[String; 3], std::fmt::Error> {
    let parts = compare(&variants(tried::parts()), loads, false);
    let constants = compare(&variants(tried::constants()), loads, false);
    Ok([
        parts.in_brief()?,
        constants.in_brief()?,
        constants.held_out()?,
    ])
}

/// Of the document.
const BLOCKS: [&str; 7] = [
    "brief",
    "full",
    "parts",
    "constants",
    "held out",
    "bytes",
    "others",
];

fn compare_all(arguments: &[String]) -> Result<()> {
    let folder = value(arguments, "--traces").unwrap_or_else(|| "../shared/traces".to_owned());
    let is_held_out = arguments.iter().any(|argument| argument == "--held-out");
    let mut loads = if is_held_out {
        lifelike::held_out()
    } else {
        load::all(Path::new(&folder))?
    };
    if let Some(only) = value(arguments, "--only") {
        loads.retain(|load| load.name.contains(&only));
    }
    if arguments.iter().any(|argument| argument == "--bytes") {
        let tables = bytes_tables(&loads).map_err(Error::other)?;
        return write!(stdout(), "{tables}");
    }
    if arguments.iter().any(|argument| argument == "--variants") {
        let [parts, constants, held_out] = variant_tables(&loads).map_err(Error::other)?;
        return write!(stdout(), "{parts}\n{constants}\n{held_out}");
    }
    let [full, brief, json] = field_tables(&loads).map_err(Error::other)?;
    write!(stdout(), "{full}\n{brief}")?;
    if let Some(path) = value(arguments, "--json") {
        std::fs::write(path, json)?;
    }
    let Some(path) = value(arguments, "--document") else {
        return Ok(());
    };
    let [parts, constants, held_out] = variant_tables(&loads).map_err(Error::other)?;
    let bytes = bytes_tables(&loads).map_err(Error::other)?;
    let [others_full, others, _] = field_tables(&lifelike::held_out()).map_err(Error::other)?;
    let others = format!("{others}\n{others_full}");
    let texts = [brief, full, parts, constants, held_out, bytes, others];
    let blocks: Vec<_> = BLOCKS
        .into_iter()
        .zip(texts.iter().map(String::as_str))
        .collect();
    document::update(&path, &blocks)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--cost") {
        return compare_all(&arguments);
    }
    let sizes = [500, 10_000, 100_000, 1_000_000];
    sizes
        .into_iter()
        .try_for_each(|entries| write!(stdout(), "{}", cost::line(entries)))
}
