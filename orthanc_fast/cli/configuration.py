"""`config` and `password`: what a configuration is written with."""

import click

from orthanc_fast.config import default_file


@click.command()
def config() -> None:
    """Prints the default configuration, with comments."""
    click.echo(default_file(), nl=False)


@click.command()
def password() -> None:
    """Asks for a password and prints the hash that the option PasswordHash takes."""
    from orthanc_fast.services.users.passwords import hashed

    click.echo(
        hashed(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    )
