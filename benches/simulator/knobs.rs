//! What of the shipped policy can be taken out or turned.

/// What becomes of a key that the ghost knows.
#[derive(Copy, Clone, PartialEq)]
pub(crate) enum Comebacks {
    /// It enters main at once, as in S3-FIFO.
    Welcome,
    /// It enters the small queue like any other.
    Unknown,
    /// As the sample says.
    Learned,
}

/// Which parts there are, and their constants; lengths as parts of the capacity.
#[derive(Clone)]
pub(crate) struct Knobs {
    /// The small queue's share, to begin with.
    pub(crate) small: f64,
    /// How far back an evicted key moves the share by a whole step, and the step in entries: with 0 the share
    /// does not move.
    pub(crate) margin: f64,
    pub(crate) step: f64,
    /// How much longer steps get along the trend, and by how much for each; how many a step against it takes.
    pub(crate) longest: f64,
    pub(crate) longer: f64,
    pub(crate) against: f64,
    /// Towards the small queue they get longer by as much again for each so many entries.
    pub(crate) large: f64,
    /// What a key from far takes of the trend, and by how much ages differ of keys that are no stream.
    pub(crate) cliff: f64,
    pub(crate) same: f64,
    /// The share above which used entries of so many earlier visits move on to main, and have one second chance there.
    pub(crate) recency: f64,
    pub(crate) earlier: u32,
    /// By what part of a step a key moves the share that was evicted longer ago.
    pub(crate) hint: f64,
    /// How many keys the ghosts remember: rejected, dethroned.
    pub(crate) rejected: f64,
    pub(crate) dethroned: f64,
    /// Whether main takes in everybody until it has its share.
    pub(crate) take_in: bool,
    /// One in so many rejected entries takes the place of an unproven one in main; 0 for none.
    pub(crate) reviewed_every: u32,
    /// Whether there is a duel, and the visits by which it must be won.
    pub(crate) duel: bool,
    pub(crate) lead: u32,
    pub(crate) comebacks: Comebacks,
    /// Accesses in the small queue that promote in any case, and whether fewer earn another round.
    pub(crate) promote_at: u8,
    pub(crate) another_round: bool,
    pub(crate) most_frequent: u8,
    /// Keys that the table of counts remembers, and visits after which counts are halved, for each entry.
    pub(crate) counted: f64,
    pub(crate) halved_after: f64,
}

impl Knobs {
    pub(crate) const SHIPPED: Self = Self {
        small: 0.1,
        margin: 0.1,
        step: 1.0,
        longest: 4.0,
        longer: 0.125,
        against: 2.0,
        large: 1_000.0,
        cliff: 0.5,
        same: 1.0 / 64.0,
        recency: 1.0 / 3.0,
        earlier: 1,
        hint: 0.09375,
        rejected: 1.0,
        dethroned: 0.25,
        take_in: true,
        reviewed_every: 8,
        duel: true,
        lead: 1,
        comebacks: Comebacks::Learned,
        promote_at: u8::MAX,
        another_round: true,
        most_frequent: 3,
        counted: 3.75,
        halved_after: 20.0,
    };
}
