"""What several portable tests need; runs on both Pythons."""


def raised(kind, call, *args):
    """Return the error of `kind` that the call raises."""
    try:
        call(*args)
    except kind as error:
        return error
    raise AssertionError("nothing was raised")
