"""The configuration profile with which iPhones and iPads install the root certificate."""

import plistlib
import uuid

KIND = "application/x-apple-aspen-config"


def mobile_profile(certificate: bytes, name: str) -> bytes:
    """Returns the profile.

    Args:
        certificate: DER.
        name: Shown to the user.
    """
    own = uuid.uuid5(uuid.NAMESPACE_OID, certificate.hex())
    content = {
        "PayloadType": "com.apple.security.root",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"pose-rig.{own}.root",
        "PayloadUUID": str(uuid.uuid5(own, "root")).upper(),
        "PayloadDisplayName": name,
        "PayloadContent": certificate,
    }
    profile = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"pose-rig.{own}",
        "PayloadUUID": str(own).upper(),
        "PayloadDisplayName": name,
        "PayloadDescription": "Lets this device open the pages of pose-rig on that machine.",
        "PayloadContent": [content],
    }
    return plistlib.dumps(profile)
