//! CRC-32 (IEEE), as event streams, gateway keys, draws by weight and the choice of a shard use it.

use crc::{CRC_32_ISO_HDLC, Crc, Table};

/// One table of 1 KB: faster ones take 16 KB, which no compression makes smaller, for messages of a few hundred bytes.
static CRC32: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// The checksum of some bytes.
pub fn crc32(bytes: &[u8]) -> u32 {
    CRC32.checksum(bytes)
}

/// The checksum of these bytes and of those that it is asked for behind them: for many with the same beginning.
pub fn crc32_behind(head: &[u8]) -> impl Fn(&[u8]) -> u32 + use<> {
    let mut so_far = CRC32.digest();
    so_far.update(head);
    move |tail| {
        let mut whole = so_far.clone();
        whole.update(tail);
        whole.finalize()
    }
}
