//! Takes passwords out of `/proc/<pid>/cmdline`, where every user of the machine could read them.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;

use super::redact_arguments;

/// What stands in the place of each octet of a secret.
const MASK: u8 = b'*';
/// Of /proc/self/stat, counted from the field after the program's name: where the arguments begin
/// (proc_pid_stat(5), field 48).
const ARG_START: usize = 45;

/// Overwrites the secrets of `--user`, `--pass`, `--auth` and their kin in the memory that the kernel
/// shows as the command line. `arguments` are those of the process, its name first; who needs them
/// has read them before. For the time before this they can be seen.
pub fn hide_secrets(arguments: &[String]) -> io::Result<()> {
    let masked = masked(arguments);
    if masked == arguments {
        return Ok(());
    }
    let join = |arguments: &[String]| -> Vec<u8> {
        arguments.iter().flat_map(|text| text.bytes().chain([0])).collect()
    };
    let (old, new) = (join(arguments), join(&masked));
    let seen = std::fs::read("/proc/self/cmdline")?;
    let other = || io::Error::other("the command line is not where it should be");
    if seen != old || new.len() != old.len() {
        return Err(other());
    }
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name may hold brackets and blanks.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let start = fields.split_whitespace().nth(ARG_START).and_then(|field| field.parse().ok());
    let start: u64 = start.ok_or_else(other)?;
    // The kernel writes to the pages that hold the arguments and nothing else: `new` is as long as
    // they are. Nobody has a reference into them; std copies what it gives.
    let memory = OpenOptions::new().read(true).write(true).open("/proc/self/mem")?;
    let mut held = vec![0; old.len()];
    memory.read_exact_at(&mut held, start)?;
    if held != old {
        return Err(other());
    }
    memory.write_all_at(&new, start)
}

/// The arguments with as many octets as before.
fn masked(arguments: &[String]) -> Vec<String> {
    let shown = redact_arguments(arguments);
    let mask = |(old, shown): (&String, &String)| {
        if old == shown {
            return old.clone();
        }
        // `-auth=secret`, or a value of its own.
        let flag = old.starts_with('-') && shown.starts_with('-');
        let kept = old.find('=').filter(|_| flag).map_or(0, |at| at + 1);
        let stars = vec![MASK; old.len() - kept];
        format!("{}{}", &old[..kept], String::from_utf8_lossy(&stars))
    };
    arguments.iter().zip(&shown).map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_as_long_as_the_secret() {
        let arguments = ["natssl", "--pass", "[REDö", "-auth=tökn", "-p", "4222", "--user", "u"];
        let arguments = arguments.map(str::to_owned);
        let masked = masked(&arguments);
        let lengths = |list: &[String]| list.iter().map(String::len).collect::<Vec<_>>();
        assert_eq!(lengths(&arguments), lengths(&masked));
        assert_eq!(masked[3], "-auth=*****");
        assert_eq!(masked[7], "*");
        assert_eq!(masked[2], "******");
        assert_eq!(
            (&masked[0], &masked[4], &masked[5]),
            (&arguments[0], &arguments[4], &arguments[5])
        );
    }

    #[test]
    fn without_secrets_nothing_is_touched() {
        let arguments = ["not", "the", "arguments", "of", "this", "process"].map(str::to_owned);
        assert!(hide_secrets(&arguments).is_ok());
        let arguments = ["x", "--pass", "secret"].map(str::to_owned);
        assert!(hide_secrets(&arguments).is_err(), "they are not those of this process");
    }
}
