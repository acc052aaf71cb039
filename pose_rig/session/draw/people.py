"""How viewers show several people: the first as one person alone, the others by colour and by topic."""

from pose_rig.session.draw.annotations import person_colour


def tinted(colour: tuple[int, int, int], person: int) -> tuple[int, int, int]:
    """Returns the colour of a part of the body: of the first person as it is, of others half in their own colour."""
    if not person:
        return colour
    red, green, blue = ((one + other) // 2 for one, other in zip(colour, person_colour(person), strict=True))
    return red, green, blue


def topic_of(topic: str, person: int) -> str:
    """Returns the topic of a person; that of the first person is the plain one."""
    return f"{topic}/{person + 1}" if person else topic
