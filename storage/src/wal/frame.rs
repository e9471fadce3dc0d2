//! Records inside a block's payload: frames, so that a record larger than a block continues in the next one.

/// Length (u32) and kind (u8), before every frame's bytes.
pub(crate) const FRAME_HEADER_LEN: usize = 5;

/// Which part of its record a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum FrameKind {
    Whole = 1,
    First = 2,
    Middle = 3,
    Last = 4,
}

impl FrameKind {
    pub(crate) const fn of(starts: bool, ends: bool) -> Self {
        match (starts, ends) {
            (true, true) => Self::Whole,
            (true, false) => Self::First,
            (false, false) => Self::Middle,
            (false, true) => Self::Last,
        }
    }

    pub(crate) const fn starts(self) -> bool {
        matches!(self, Self::Whole | Self::First)
    }

    pub(crate) const fn ends(self) -> bool {
        matches!(self, Self::Whole | Self::Last)
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Whole),
            2 => Some(Self::First),
            3 => Some(Self::Middle),
            4 => Some(Self::Last),
            _ => None,
        }
    }
}

/// One frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: FrameKind,
    pub(crate) bytes: &'a [u8],
}

/// The frames of a payload. A frame that makes no sense ends the iteration with what is wrong.
pub(crate) fn frames(payload: &[u8]) -> impl Iterator<Item = Result<Frame<'_>, String>> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let frame = split_frame(rest);
        rest = frame.as_ref().map_or(&[], |(_, behind)| behind);
        Some(frame.map(|(frame, _)| frame))
    })
}

fn split_frame(payload: &[u8]) -> Result<(Frame<'_>, &[u8]), String> {
    let Some(([a, b, c, d, kind], rest)) = payload.split_first_chunk::<FRAME_HEADER_LEN>() else {
        return Err(format!("{} bytes are left for a frame's header", payload.len()));
    };
    let len = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    let Some(kind) = FrameKind::from_byte(*kind) else {
        return Err(format!("frame of unknown kind {kind}"));
    };
    match rest.split_at_checked(len) {
        Some((bytes, rest)) => Ok((Frame { kind, bytes }, rest)),
        None => Err(format!("frame of {len} bytes, of which the block has {}", rest.len())),
    }
}

/// Writes a frame's header at the start of `payload` and gives the place for its bytes.
pub(crate) fn put_frame_header(payload: &mut [u8], kind: FrameKind, len: usize) -> &mut [u8] {
    let Some((head, rest)) = payload.split_first_chunk_mut::<FRAME_HEADER_LEN>() else {
        panic!("no room for a frame's header");
    };
    let [a, b, c, d] = u32::try_from(len).unwrap_or_else(|_| panic!("frame of {len} bytes")).to_le_bytes();
    *head = [a, b, c, d, kind as u8];
    match rest.get_mut(..len) {
        Some(place) => place,
        None => panic!("no room for a frame of {len} bytes"),
    }
}
