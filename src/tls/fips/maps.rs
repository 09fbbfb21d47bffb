//! Which files this process runs code from: /proc/self/maps.

use std::collections::BTreeSet;

/// Paths mapped executable, in order, each once. A replaced file ends in ` (deleted)`.
pub(super) fn executable_files() -> std::io::Result<BTreeSet<String>> {
    Ok(parse(&std::fs::read_to_string("/proc/self/maps")?))
}

/// `address perms offset dev inode   path`, proc_pid_maps(5).
fn parse(maps: &str) -> BTreeSet<String> {
    let executable = |line: &&str| {
        line.split_ascii_whitespace().nth(1).is_some_and(|permissions| permissions.contains('x'))
    };
    let path = |line: &str| line.find('/').map(|at| line[at..].to_owned());
    maps.lines().filter(executable).filter_map(path).collect()
}

/// Does the path end in the library's file name, `libssl.so.3` for `libssl`?
pub(super) fn is_library(path: &str, name: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or_default();
    file.strip_prefix(name).is_some_and(|rest| rest.starts_with(".so"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executable_mappings_of_files_count() {
        let maps = "\
55d0-55d1 r--p 00000000 fe:00 12 /usr/bin/natssl
55d1-55d2 r-xp 00001000 fe:00 12 /usr/bin/natssl
7f00-7f01 r-xp 00000000 fe:00 13 /usr/lib/libcrypto.so.3 (deleted)
7f02-7f03 rw-p 00000000 00:00 0 [heap]
7f04-7f05 r-xp 00000000 00:00 0 [vdso]
7f06-7f07 r-xp 00000000 fe:00 14 /opt/a b/fips.so
";
        let files: Vec<String> = parse(maps).into_iter().collect();
        let want = ["/opt/a b/fips.so", "/usr/bin/natssl", "/usr/lib/libcrypto.so.3 (deleted)"];
        assert_eq!(files, want);
        assert!(is_library(&files[2], "libcrypto") && !is_library(&files[2], "libssl"));
        assert!(!executable_files().unwrap().is_empty(), "this very program");
    }
}
