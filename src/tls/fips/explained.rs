//! The refusals of FIPS mode in words; their numbers are those of `fips/README.md`.

use super::Reason;
use crate::explained::explained;

explained! { Reason {
    Self::LibraryTooOld { .. } => "FIPS-01", "FIPS-01: ",
        "OpenSSL at run time is older than 3.0.",
        "Update OpenSSL to 3.0 or later.";
    Self::Environment { .. } => "FIPS-02", "FIPS-02: ",
        "A variable is set that could put other code or configuration in force: 'OPENSSL_CONF', \
         'OPENSSL_CONF_INCLUDE', 'OPENSSL_MODULES', 'OPENSSL_ENGINES', 'OPENSSL_ia32cap' and its \
         kin, 'LD_PRELOAD', 'LD_AUDIT', 'LD_LIBRARY_PATH'.",
        "Unset it. What natssl needs to know stands in fips.conf: name the module there with \
         'module'.";
    Self::Settings { .. } => "FIPS-03", "FIPS-03: ",
        "'fips.conf', or 'NATSSL_FIPS_LEVEL', says something unknown.",
        "Correct it at the place that the line names.";
    Self::UnsafeFile { .. } => "FIPS-04", "FIPS-04: ",
        "Settings, 'fipsmodule.cnf' or the module can be written by others.",
        "chown root FILE; chmod 644 FILE; the folder, too, must be writable by root only.";
    Self::ModuleConfig { .. } => "FIPS-05", "FIPS-05: ",
        "'fipsmodule.cnf' has no 'module-mac', or lines fipsinstall does not write.",
        "Write it anew: openssl fipsinstall -out fipsmodule.cnf -module fips.so.";
    Self::SystemConfig { .. } => "FIPS-06", "FIPS-06: ",
        "OpenSSL's own configuration cannot be read; OpenSSL would go on without it.",
        "Repair openssl.cnf and the files it includes: openssl version -d shows where it is.";
    Self::ModuleMissing { .. } => "FIPS-07", "FIPS-07: ",
        "There is no module file, or it cannot be loaded.",
        "Install it (Debian 13: openssl-provider-fips; RHEL 9: openssl-fips-provider; Debian 12 \
         has none), or name its file with 'module' in fips.conf.";
    Self::ModuleConfigMissing { .. } => "FIPS-08", "FIPS-08: ",
        "The module wants its 'fipsmodule.cnf'.",
        "Run openssl fipsinstall -out fipsmodule.cnf -module fips.so.";
    Self::Integrity { .. } => "FIPS-09", "FIPS-09: ",
        "The module's file is not the one fipsinstall saw.",
        "Verify the file with the package manager, then run openssl fipsinstall again.";
    Self::SelfTest { .. } => "FIPS-10", "FIPS-10: ",
        "A self-test failed.",
        "Replace the module, or the machine: the module is unusable here.";
    Self::NotActive { .. } => "FIPS-11", "FIPS-11: ",
        "The module did not become active, with OpenSSL's words.",
        "Do as OpenSSL's words say; explain them.";
    Self::BaseMissing { .. } => "FIPS-12", "FIPS-12: ",
        "The base provider is missing.",
        "Repair the OpenSSL installation: base is part of libcrypto.";
    Self::Property => "FIPS-13", "FIPS-13: ",
        "The default properties are not 'fips=yes'.",
        "Look for default_properties in openssl.cnf.";
    Self::ModuleState { .. } => "FIPS-14", "FIPS-14: ",
        "The provider tells no name or version, or is in its error state.",
        "It is the wrong file, or see FIPS-10.";
    Self::Missing { .. } => "FIPS-15", "FIPS-15: ",
        "An algorithm the server needs is missing.",
        "Use another module, or a newer one.";
    Self::Foreign { .. } => "FIPS-16", "FIPS-16: ",
        "An algorithm would come from another provider.",
        "Look for properties and other providers in openssl.cnf.";
    Self::Unapproved { .. } => "FIPS-17", "FIPS-17: ",
        "An unapproved algorithm is available.",
        "Look for properties and other providers in openssl.cnf.";
    Self::Random { .. } => "FIPS-18", "FIPS-18: ",
        "The random number generators failed.",
        "See FIPS-10.";
    Self::Switch { .. } => "FIPS-19", "FIPS-19: ",
        "The module's 'security-checks' are off.",
        "Set it to 1 in the file that the line names.";
    Self::Files { .. } => "FIPS-20", "FIPS-20: ",
        "The files in use cannot be established, or the module is not the one named.",
        "Mount /proc, and correct 'module' in fips.conf.";
    Self::Kernel { .. } => "FIPS-21", "FIPS-21: ",
        "'kernel: required', and the kernel is not in FIPS mode.",
        "fips-mode-setup --enable on RHEL, or install with fips=1; or take 'kernel: required' \
         out.";
    Self::OtherProvider { .. } => "FIPS-22", "FIPS-22: ",
        "'fips_strict', and another provider is active.",
        "Take the provider out of the configuration, or use level fips.";
    Self::NoIndicator { .. } => "FIPS-23", "FIPS-23: ",
        "'fips_strict', and OpenSSL 3.4 or later without the indicator (a vendored build).",
        "Use level fips.";
    Self::NotListed { .. } => "FIPS-24", "FIPS-24: ",
        "'certificate: required', and the module's version is under no active certificate.",
        "Use a module with an active certificate, or drop 'certificate: required'.";
    Self::Unreachable { .. } => "FIPS-25", "FIPS-25: ",
        "A file that was named cannot be read, or the module's file is cut off.",
        "Correct the path, or fetch the file again.";
    Self::SystemActivation { .. } => "FIPS-26", "FIPS-26: ",
        "OpenSSL's own configuration asks for the module, and the module did not start.",
        "Run openssl fipsinstall for the file that openssl.cnf includes; see openssl list \
         -providers.";
    Self::Engine { .. } => "FIPS-27", "FIPS-27: ",
        "OpenSSL's configuration loads an engine, which computes outside of the module.",
        "Take the section 'engines' out of openssl.cnf.";
} }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_numbers() {
        assert_eq!(Reason::EXPLAINED.len(), 27);
        for (i, row) in Reason::EXPLAINED.iter().enumerate() {
            assert_eq!(row.code, format!("FIPS-{:02}", i + 1));
        }
        let property = Reason::Property;
        assert_eq!(property.explained().code, format!("FIPS-{:02}", property.number()));
        assert!(property.to_string().starts_with(property.explained().seen));
    }
}
