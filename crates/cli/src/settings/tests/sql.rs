//! Tests of the tables of a subscription in the file.

/// Applies the members of `sql` in the file. Returns the faults.
fn sql_faults(members: &str) -> String {
    let file = format!("[[subscriptions]]\nname = \"a\"\n[subscriptions.sql]\n{members}");
    super::settings(&file, &[], None).unwrap_err()
}

#[test]
fn faults_in_tables_have_their_place_and_no_secret() {
    let url = "url = \"postgresql://ida:s3cret@a/b\"\n";
    let check = |members: &str, wanted: &str| {
        let faults = sql_faults(members);
        assert_eq!(faults, wanted);
        assert!(!faults.contains("s3cret"));
    };
    check(
        "url = \"mysql://ida:s3cret@a/b\"",
        "easel.toml:4:7: the URL of the database must begin with postgresql:// or postgres://",
    );
    check(
        "url = \"postgresql://ida:s3cret@a/b?sslrootcert=s3cret\"",
        "easel.toml:4:7: the URL of the database is invalid: the parameter sslrootcert is not supported",
    );
    check(
        &format!(
            "{url}schema = \"pg_x\"\nlayout = \"tall\"\npromote = \"never\"\ncolumns.exclude = [\"all\"]"
        ),
        "easel.toml:5:10: the schema \"pg_x\" belongs to the database itself\n\
         easel.toml:6:10: `layout` must be \"typed\", \"wide\" or \"ledbelly\", not \"tall\"\n\
         easel.toml:7:11: `promote` must be \"manual\" or \"auto\", not \"never\"\n\
         easel.toml:8:20: `sql.columns.exclude`: a privacy class must be \"content\", \"quasi\" or \"direct\", not \"all\"",
    );
    check(
        &format!("{url}[subscriptions.webhook]\nurl = \"http://a\""),
        "easel.toml:1:1: exactly one of `webhook`, `sql` and `sqs` is required",
    );
}
