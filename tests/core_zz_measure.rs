use flask_rustcache::core::*;
use std::time::Instant as T;
fn store(n: usize) -> Store<u64> { Store::new(StoreConfig { max_entries: n, shards: 1 }).unwrap() }
fn main_ratio(name: &str, n: usize) {
    let d = std::fs::read(format!("/tmp/tr/{name}.i32")).unwrap();
    let s = store(n);
    let now = Instant::from_nanos(1);
    let t = T::now();
    for c in d.chunks_exact(4) {
        let (v, e) = s.read(c, now, |v| *v);
        drop(e);
        if v.is_none() { drop(s.insert(c, 1, Lifetime::until(Instant::from_nanos(1000)), now, When::Always)); }
    }
    let st = s.stats();
    println!("{name} {n}: {:.2}  {:.0} ns/req", 100.0 * st.hits as f64 / (st.hits + st.misses) as f64, t.elapsed().as_nanos() as f64 / (d.len()/4) as f64);
}
#[test] #[ignore]
fn ratios() {
    for (a, b) in [("web07", 500), ("web07", 1000), ("multi3", 400), ("multi3", 600), ("cloudphysics", 2000), ("cloudphysics", 8000)] { main_ratio(a, b); }
}
#[test] #[ignore]
fn speed() {
    let s = store(500);
    let keys: Vec<String> = (0..400).map(|i| format!("view//api/stocks/{i:03}")).collect();
    println!("key len {}", keys[0].len());
    for k in &keys { drop(s.insert(k.as_bytes(), 1, Lifetime::until(Instant::from_nanos(u64::MAX/2)), coarse_now(), When::Always)); }
    for round in 0..5 {
        let t = T::now(); let mut sum = 0;
        for _ in 0..5000 { for k in &keys { let (v, e) = s.read(k.as_bytes(), Instant::from_nanos(5), |v| *v); drop(e); sum += v.unwrap(); } }
        let hit = t.elapsed().as_nanos() as f64 / 2e6;
        let t = T::now();
        for _ in 0..5000 { for k in &keys { let (v, e) = s.read(k.as_bytes(), coarse_now(), |v| *v); drop(e); sum += v.unwrap(); } }
        let hitc = t.elapsed().as_nanos() as f64 / 2e6;
        let t = T::now();
        for _ in 0..2500 { for k in &keys { drop(s.insert(k.as_bytes(), 1, Lifetime::until(coarse_now().saturating_add(300_000_000_000)), coarse_now(), When::Always)); } }
        println!("{round} hit {hit:.1} hit+clock {hitc:.1} overwrite {:.1} ({sum})", t.elapsed().as_nanos() as f64 / 1e6);
    }
}
#[test] #[ignore]
fn fresh() {
    for n in [500_usize, 10_000, 100_000, 1_000_000] {
        let s = store(n);
        let mut i = 0u64; 
        let mut go = |count: u64| { for _ in 0..count { i += 1; let mut k = *b"view//api/stocks/0000000"; k[16..].copy_from_slice(&i.to_be_bytes()); let now = coarse_now(); drop(s.insert(&k, i, Lifetime::until(now.saturating_add(300_000_000_000)), now, When::Always)); } };
        go(2 * n as u64 + 1000);
        for _ in 0..3 { let t = T::now(); go(1_000_000); print!("{n}: {:.0} ns  ", t.elapsed().as_nanos() as f64 / 1e6); }
        println!();
    }
}
#[test] #[ignore]
fn random_ttl() {
    for n in [500_usize, 100_000, 1_000_000] {
        let s = store(n);
        let mut i = 0u64; let mut r = 1u64;
        let mut go = |count: u64| { for _ in 0..count { i += 1; r = r.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1442695040888963407); let mut k = *b"view//api/stocks/0000000"; k[16..].copy_from_slice(&i.to_be_bytes()); let now = coarse_now(); drop(s.insert(&k, i, Lifetime::until(now.saturating_add(300_000_000_000 + (r >> 28))), now, When::Always)); } };
        go(2 * n as u64 + 1000);
        for _ in 0..3 { let t = T::now(); go(1_000_000); print!("random ttl {n}: {:.0} ns  ", t.elapsed().as_nanos() as f64 / 1e6); }
        println!();
    }
}
#[test] #[ignore]
fn mem() {
    fn rss() -> usize { std::fs::read_to_string("/proc/self/statm").unwrap().split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096 }
    let b = rss(); let s = store(usize::MAX);
    for i in 0..100_000u64 { let k = format!("view//api/stocks/{i:06}"); drop(s.insert(k.as_bytes(), i, Lifetime::until(Instant::from_nanos(1000)), Instant::from_nanos(1), When::Always)); }
    println!("bytes per entry of u64 {}", (rss() - b) / 100_000);
}
