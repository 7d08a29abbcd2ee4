//! The allocator of glibc, told at the start of a process which blocks to give back to the system when they are freed.
//!
//! glibc raises its limits by itself with each large block that is freed, up to 32 and 64 MiB, so that blocks of some
//! MiB come from the heaps of many threads, stay there, and leave holes.
//!
//! A stage uses blocks of a MiB thousands of times a second: answers of brokers, the batches that librdkafka decompresses
//! and compresses, batches of lines and their compressed form. A block that was given back costs a page fault for every
//! 4 KiB of the next one; with the limits of a command, that takes half of saltransform's CPU. A command gives back
//! more, and has few heaps: its Kafka clients have tens of threads, each of which would leave the lists of an
//! observatory's topics, once freed, in a heap of its own.

/// What stays in a process.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
struct Limits {
    /// Blocks of this size or larger are mapped on their own, and unmapped when they are freed.
    mapped_bytes: i32,
    /// What may stay unused at the end of a heap.
    kept_bytes: i32,
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OF_STAGE: Limits = Limits {
    mapped_bytes: 4 << 20,
    kept_bytes: 16 << 20,
};
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OF_COMMAND: Limits = Limits {
    mapped_bytes: 256 << 10,
    kept_bytes: 1 << 20,
};
/// The heaps of a command.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAX_HEAPS: i32 = 2;

/// Sets the limits of a stage, and says whether the allocator took them. To be called before other threads exist.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn return_large_blocks() -> bool {
    set(&OF_STAGE)
}

/// Sets the limits of a command, which may wait for memory that another thread allocates. To be called before other threads
/// exist.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the allocator has no safe interface")]
pub fn keep_little_memory() -> bool {
    // SAFETY: as below.
    let has_few_heaps = unsafe { libc::mallopt(libc::M_ARENA_MAX, MAX_HEAPS) == 1 };
    set(&OF_COMMAND) && has_few_heaps
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code, reason = "the allocator has no safe interface")]
fn set(limits: &Limits) -> bool {
    // SAFETY: `mallopt` takes two integers and keeps no reference. It may be called at any time in a program that uses
    // glibc's allocator, and with another allocator it is that one's function or has no effect. Values that it does not
    // know are refused.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, limits.mapped_bytes) == 1
            && libc::mallopt(libc::M_TRIM_THRESHOLD, limits.kept_bytes) == 1
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn return_large_blocks() -> bool {
    false
}

/// Does nothing: only glibc's allocator keeps memory for each thread.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn keep_little_memory() -> bool {
    false
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[cfg(test)]
mod tests {
    use super::*;

    /// `VmRSS` of this process, KiB.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn the_allocator_takes_the_limits() {
        assert!(return_large_blocks());
        assert!(keep_little_memory());
    }

    #[test]
    fn large_blocks_go_back_to_the_system() {
        assert!(return_large_blocks());
        // Freed blocks of this size raise the limit of an allocator that was not told.
        for _ in 0..3 {
            drop(vec![1_u8; 24 << 20]);
        }
        let holding: Vec<_> = (0..16).map(|_| (vec![1_u8; 4 << 20], vec![1_u8; 64])).collect();
        let used = resident();
        // The small ones stay, and with them all that lies before them on a heap.
        let small: Vec<_> = holding.into_iter().map(|(_, small)| small).collect();
        assert!(
            resident() + (48 << 10) < used,
            "{} of {used} KiB are left with {} small blocks",
            resident(),
            small.len()
        );
    }
}
