"""Manifests and indexes: which bytes are one, what they refer to, and of which type they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from moorage.errors import ManifestInvalid, ManifestTooLarge
from moorage.oci import media_types
from moorage.oci.descriptor import Descriptor
from moorage.oci.strict_json import optional_string, parse_object, string_map

# Bytes. What clients refuse to pull beyond; the spec asks for at least 4 MB (distribution-spec, "Pushing Manifests").
MAX_SIZE = 4 * 1024 * 1024

_SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says, in the words of image-spec; its bytes are kept elsewhere, exactly as pushed.

    `artifact_type` is the effective one: the manifest's own, else its config's media type (distribution-spec,
    "Listing Referrers").
    """

    media_type: str
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The entries of an index: manifests by the spec, but BuildKit's registry cache lists layer blobs there."""
        return self.manifests

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The config, if there is one, and the layers."""
        return self.layers if self.config is None else (self.config, *self.layers)

    @property
    def required_blobs(self) -> tuple[Descriptor, ...]:
        """The blobs that a pull cannot do without.

        Layers are left out by media type alone. `urls` decide nothing: on an ordinary layer they are one more place
        to get it from, and a nondistributable one is not uploaded whether or not it has any.
        """
        return tuple(blob for blob in self.blobs if blob.media_type not in media_types.NONDISTRIBUTABLE)


@dataclass(frozen=True, slots=True)
class _Form:
    """What the manifests of one kind hold: the members that refer to content, and those that must not be there."""

    name: str
    references: tuple[str, ...]
    required: str | None = None
    foreign: tuple[str, ...] = ()
    versioned: bool = True


_IMAGE = _Form("an image manifest", ("config", "layers"), required="config", foreign=("manifests",))
_INDEX = _Form("an index", ("manifests",), required="manifests", foreign=("config", "layers"))
_ARTIFACT = _Form("an artifact manifest", ("blobs",), foreign=("config", "layers", "manifests"), versioned=False)
_UNKNOWN = _Form("a manifest", ("config", "layers", "manifests", "blobs"), versioned=False)
_FORMS = {
    media_types.OCI_MANIFEST: _IMAGE,
    media_types.DOCKER_MANIFEST: _IMAGE,
    media_types.OCI_INDEX: _INDEX,
    media_types.DOCKER_MANIFEST_LIST: _INDEX,
    media_types.OCI_ARTIFACT_MANIFEST: _ARTIFACT,
}


def parse(content: bytes, content_type: str | None) -> Manifest:
    """Read a pushed manifest; `content_type` is the request header, None where it was not sent.

    A type that is not known is taken if it ends in `+json`; what then looks like references counts as references.
    Raises ManifestInvalid naming the place at fault, or ManifestTooLarge beyond MAX_SIZE.
    """
    if len(content) > MAX_SIZE:
        raise ManifestTooLarge(f"The manifest has {len(content)} bytes; this registry takes at most {MAX_SIZE}.")
    document = parse_object(content)
    media_type = _media_type(document, content_type)
    form = _FORMS.get(media_type, _UNKNOWN)
    if form is _UNKNOWN:
        document = _well_formed(document)
    _check_form(document, form)
    return _read(document, media_type, form)


def _media_type(document: Mapping[str, object], content_type: str | None) -> str:
    """Decide the type: header and body must agree where both are there; with neither, the shape tells."""
    sent = media_types.essence(content_type or "")
    stated = media_types.essence(optional_string(document, "mediaType") or "")
    if sent and stated and sent.lower() != stated.lower():
        raise ManifestInvalid(
            f"The Content-Type is {sent!r:.120} but mediaType in the manifest is {stated!r:.120}: make them the same."
        )
    media_type = sent or stated or _guess(document)
    if media_types.is_docker_schema_1(media_type):
        raise ManifestInvalid(
            "Docker schema 1 manifests are not taken, because current clients refuse to pull them: "
            "push again as Docker schema 2 or OCI, with a newer client."
        )
    if not media_types.is_manifest_type(media_type):
        raise ManifestInvalid(
            f"{media_type!r:.120} is not the media type of a manifest: send as Content-Type one that ends in +json, "
            f"such as {media_types.OCI_MANIFEST}."
        )
    return media_type


def _guess(document: Mapping[str, object]) -> str:
    if document.get("manifests") is not None:
        return media_types.OCI_INDEX
    if document.get("config") is not None or document.get("layers") is not None:
        return media_types.OCI_MANIFEST
    raise ManifestInvalid(
        "Neither Content-Type nor mediaType says what this manifest is: send its type as Content-Type."
    )


def _well_formed(document: Mapping[str, object]) -> dict[str, object]:
    """Pick what reads like the members of a manifest; in a type that nobody here knows, the rest may mean anything."""
    kept: dict[str, object] = {key: document[key] for key in ("config", "subject") if _is_descriptor(document.get(key))}
    for key in ("layers", "manifests", "blobs"):
        items = document.get(key)
        if isinstance(items, list):
            kept[key] = [item for item in items if _is_descriptor(item)]
    if isinstance(document.get("artifactType"), str):
        kept["artifactType"] = document["artifactType"]
    annotations = document.get("annotations")
    if isinstance(annotations, dict):
        kept["annotations"] = {key: value for key, value in annotations.items() if isinstance(value, str)}
    return kept


def _is_descriptor(value: object) -> bool:
    try:
        Descriptor.from_json(value, "")
    except ManifestInvalid:
        return False
    return True


def _check_form(document: Mapping[str, object], form: _Form) -> None:
    """Refuse what could be taken for two kinds of manifest (CVE-2021-41190), or is not whole."""
    for key in form.foreign:
        if document.get(key) is not None:
            raise ManifestInvalid(
                f"{key} does not belong in {form.name}: a manifest holds either config and layers, or manifests."
            )
    if form.required is not None and document.get(form.required) is None:
        raise ManifestInvalid(f"{form.required} is missing: {form.name} must have it.")
    version = document.get("schemaVersion")
    if form.versioned and (version != _SCHEMA_VERSION or not isinstance(version, int)):
        raise ManifestInvalid(f"schemaVersion must be {_SCHEMA_VERSION}: of {form.name} there is no other version.")


def _read(document: Mapping[str, object], media_type: str, form: _Form) -> Manifest:
    references = {key: document.get(key) for key in form.references}
    config = _descriptor(references, "config")
    return Manifest(
        media_type=media_type,
        config=config,
        layers=_descriptors(references, "layers") + _descriptors(references, "blobs"),
        manifests=_descriptors(references, "manifests"),
        subject=_descriptor(document, "subject"),
        artifact_type=optional_string(document, "artifactType") or (config.media_type if config else None),
        annotations=string_map(document, "annotations"),
    )


def _descriptor(document: Mapping[str, object], key: str) -> Descriptor | None:
    value = document.get(key)
    return None if value is None else Descriptor.from_json(value, key)


def _descriptors(document: Mapping[str, object], key: str) -> tuple[Descriptor, ...]:
    items = document.get(key)
    if items is None:
        return ()
    if not isinstance(items, list):
        raise ManifestInvalid(f"{key} must be a list of descriptors; it may be empty.")
    return tuple(Descriptor.from_json(item, f"{key}[{index}]") for index, item in enumerate(items))
