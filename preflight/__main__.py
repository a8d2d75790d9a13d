"""Start the program: the script `preflight`, and `python -m preflight`."""

import gc


def main() -> None:
    """Run the command line and end the process."""
    # Nothing that a check makes is worth collecting before it ends, and looking for it would cost 4 % of the run,
    # half of that while modules are imported. What goes on for longer, or reads far more, is collected as ever.
    gc.set_threshold(200_000)
    from preflight.cli import main as run

    run()


if __name__ == "__main__":
    main()
