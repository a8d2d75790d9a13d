"""Whether Docker Compose reads mailcow.conf at all: it reads `.env`, which in mailcow's clone is a link to it. Pure."""

from __future__ import annotations

import shlex

from preflight.facts import ConfFile, EnvFile
from preflight.report.evidence.ports import EnvFileEvidence
from preflight.report.model import Finding, Remedy, Status
from preflight.text.sentences import paragraph, phrase, say


def env_findings(conf: ConfFile) -> dict[str, Finding]:
    """Complain of a `.env` that Compose reads in place of mailcow.conf, or that keeps mailcow's installer from it."""
    env = conf.env
    if env is None or _fine(env):
        return {}
    lesser = env.kind == "file" and env.same
    found = {
        "absent": phrase("missing"),
        "link": phrase("a link to {target}", target=env.target),
        "file": phrase("a separate file"),
        "other": phrase("neither a file nor a link"),
    }[env.kind]
    return {
        env.path: Finding(
            status=Status.WARN if lesser else Status.FAIL,
            subject=env.path,
            message=paragraph(_what(env), _effect(conf, env)),
            expected=phrase("a link to {target}", target="mailcow.conf"),
            found=found,
            evidence=EnvFileEvidence(path=env.path, kind=env.kind, target=env.target or None, same=env.same),
            remedy=_remedy(conf, env),
        )
    }


def _fine(env: EnvFile) -> bool:
    """Say whether `.env` is what it should be, or nothing is cloned yet that it could be missing from."""
    if env.kind == "link":
        # Before generate_config.sh ran, the link leads to nothing.
        return env.same
    return env.kind == "absent" and not env.clone


def _what(env: EnvFile) -> str:
    match env.kind:
        case "absent":
            return say("{path} is missing: it should be a link to mailcow.conf.", path=env.path)
        case "link":
            return say(
                "{path} is a link to {target}, but it should be a link to mailcow.conf.",
                path=env.path,
                target=env.target,
            )
        case "file":
            return say("{path} is a separate file, but it should be a link to mailcow.conf.", path=env.path)
    return say("{path} is neither a file nor a link, but it should be a link to mailcow.conf.", path=env.path)


def _effect(conf: ConfFile, env: EnvFile) -> str:
    if not conf.present:
        return say("mailcow's generate_config.sh refuses to run.")
    if env.kind == "file" and env.same:
        return say(
            "Docker Compose reads .env: later changes to {path} have no effect, and mailcow's generate_config.sh "
            "refuses to run.",
            path=conf.path,
        )
    return say(
        "Docker Compose reads .env: no line of {path} has any effect, and mailcow would start on its default ports "
        "and without passwords.",
        path=conf.path,
    )


def _remedy(conf: ConfFile, env: EnvFile) -> Remedy:
    folder = env.path.rpartition("/")[0] or "/"
    commands = [f"cd {shlex.quote(folder)}"]
    text = say("Create the link.")
    if env.kind != "absent":
        # Whatever somebody wrote there may be needed again.
        commands.append('mv .env ".env.$(date +%Y%m%d-%H%M%S)"')
        text = say("Rename the existing one and create the link.")
    commands.append("ln -s mailcow.conf .env")
    clone = say("Files from an archive lack this link: clone mailcow with git, which updates need too.")
    return Remedy(
        paragraph(text, clone if env.kind != "link" else None),
        tuple(commands),
        when="now" if conf.present else "cloned",
    )
