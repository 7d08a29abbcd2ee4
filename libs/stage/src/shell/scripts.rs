//! The scripts of those shells that ask the binary at each Tab key. They give it the line up to the cursor, and take the
//! exit code 3 for "the name of a file".

use clap_complete::Shell;

const BASH: &str = r#"_NAME_complete() {
    local answer IFS=$'\n'
    answer="$(KAFKA_EFD_COMPLETE=bash NAME "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)"
    if [[ $? -eq 3 ]]; then
        compopt -o default 2>/dev/null
        COMPREPLY=()
    else
        COMPREPLY=($answer)
    fi
}
complete -F _NAME_complete NAME
"#;

const ZSH: &str = r#"#compdef NAME
_NAME_complete() {
    local answer
    answer="$(KAFKA_EFD_COMPLETE=zsh NAME "${(j: :)words[1,CURRENT]}" 2>/dev/null)"
    if (( $? == 3 )); then
        _files
        return
    fi
    local -a found
    found=("${(@f)answer}")
    compadd -a found
}
if [ "$funcstack[1]" = "_NAME" ]; then
    _NAME_complete "$@"
else
    compdef _NAME_complete NAME
fi
"#;

const FISH: &str = r#"function __NAME_complete
    set -l answer (KAFKA_EFD_COMPLETE=fish NAME (commandline -cp | string collect) 2>/dev/null)
    if test $status -eq 3
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $answer
    end
end
complete --command NAME --no-files --arguments '(__NAME_complete)'
"#;

/// The script for a binary, if this shell can ask it.
pub(super) fn of(shell: Shell, name: &str) -> Option<String> {
    let script = match shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
        _ => return None,
    };
    Some(script.replace("NAME", name))
}
