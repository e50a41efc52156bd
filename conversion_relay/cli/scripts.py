"""`scripts`: the page's script in its forms, with what pins it in a page."""

from pathlib import Path

import click

from conversion_relay.cli.printing import print_json, print_table


@click.command()
@click.option("--relay", default="https://relay.example", show_default=True, help="where pages reach your `serve`")
@click.option(
    "--to", "folder", type=click.Path(file_okay=False, path_type=Path), help="write the files into this folder"
)
@click.option("--json", "as_json", is_flag=True)
def scripts(relay: str, folder: Path | None, as_json: bool) -> None:
    """The page's script: sizes, versions, hashes, and the tag for a page.

    `serve` serves these files. A tag with an `integrity` accepts this version alone: change it with each upgrade.
    """
    from conversion_relay.collector.scripts import scripts as all_scripts

    found = all_scripts().values()
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        for script in found:
            (folder / script.name).write_bytes(script.body)
    rows = [(s.name, len(s.body), len(s.zipped), f"/{s.name}?v={s.version}", s.integrity) for s in found]
    if as_json:
        names = ("name", "bytes", "gzip_bytes", "path", "integrity")
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    print_table(("script", "bytes", "gzip", "path"), [row[:4] for row in rows])
    for name, *_, path, integrity in rows:
        if name.endswith(".min.js"):
            tag = f'<script src="{relay.rstrip("/")}{path}" integrity="{integrity}" crossorigin'
            mirror = " data-mirror" if ".mirror." in name else ""  # without it the mirror is the plain script
            click.echo(f'\n{tag}\n        data-endpoint="{relay.rstrip("/")}/events"{mirror}></script>')
