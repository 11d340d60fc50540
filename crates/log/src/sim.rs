#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    PlainTimestamps,
    SilenceMeansNo,
    NoReplay,
    SkipTail,
    SkipGaps,
}
