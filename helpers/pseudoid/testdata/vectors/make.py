#!/usr/bin/python3
"""Makes vectors.json: what Debian's canonicaljson and signedjson come to, for the oracle to be compared with.

    apt-get install python3-canonicaljson python3-signedjson
    /usr/bin/python3 make.py > vectors.json

The output is the same each time: keys and random values come from fixed seeds. Canonical JSON and signatures are the
libraries'. They know nothing of events: hashes are hashlib's, over the libraries' canonical JSON, and redaction is
written here from the specification's tables, apart from the one in Go.
"""

import base64
import copy
import hashlib
import importlib.metadata
import json
import random
import sys

from canonicaljson import encode_canonical_json
from signedjson.key import decode_signing_key_base64, encode_verify_key_base64, get_verify_key
from signedjson.sign import sign_json, verify_signed_json
from unpaddedbase64 import encode_base64

MAX = 2**53 - 1


def canonical(value):
    return encode_canonical_json(value).decode()


def key(name, version):
    """A signing key whose seed is made of a name."""
    seed = hashlib.sha256(name.encode()).digest()
    return encode_base64(seed), decode_signing_key_base64("ed25519", version, encode_base64(seed))


# Canonical JSON

TEXTS = [
    # No white space, and every kind of it.
    '{}', '[]', 'null', ' true\n', '\t\r\nfalse ', '""', '0', '-1', str(MAX), str(-MAX),
    '{ "b" : [ 1 , 2 ] , "a" : { "d" : null , "c" : true } }',
    # Escapes: needed, needless, short, long, pairs of surrogates.
    r'"\"\\\/\b\f\n\r\t"', r'"\u0022\u005c\u002f\u0008\u000c\u000a\u000d\u0009"',
    '"' + ''.join('\\u%04x' % c for c in range(0x20)) + '"', '"' + ''.join('\\u%04X' % c for c in range(0x20)) + '"',
    r'"\u007f\u0080\u00e9\u2028\u2029\ufeff\ufffd\uffff"', '"\x7f\u0080é\u2028\u2029\ufeff\ufffd\uffff"',
    r'"\ud83d\ude00 \uD83D\uDE00"', '"😀"', r'"\ud800\udc00\udbff\udfff"', r'"<script>&amp;\u003c\u003e\u0026"',
    # Keys in the order of code points, which is not that of UTF-16 units, and not that of their spelling.
    r'{"\ud83d\ude00":1,"\ufb01":2,"\ue000":3,"z":4,"Z":5,"":6,"é":7,"aa":8,"a":9}',
    r'{"\u0042":1,"\u0041":2,"a\"":3,"a\\":4,"a\u0000":5,"a":6,"a ":7}',
    '{"10":1,"9":2,"-":3,"_":4,"~":5,"\x7f":6}',
    '{"a":{"a":{"a":{"a":[[[[{"b":[],"a":{}}]]]]}}}}',
]

CHARACTERS = ['a', 'b', 'A', '0', ' ', '/', '"', '\\', '\n', '\x00', '\x1f', '\x7f', 'é', '日', '\u2028', '\ue000', '\ufb01', '\uffff', '😀', '\U0010ffff']


def random_string(rng):
    return ''.join(rng.choice(CHARACTERS) for _ in range(rng.randrange(6)))


def random_value(rng, depth=0):
    kind = rng.randrange(8 if depth < 4 else 5)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.choice([0, 1, -1, rng.randint(-1000, 1000), rng.randint(-MAX, MAX), MAX, -MAX])
    if kind < 5:
        return random_string(rng)
    if kind == 5:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {random_string(rng): random_value(rng, depth + 1) for _ in range(rng.randrange(6))}


def canonical_vectors():
    rng = random.Random(4014)
    texts = list(TEXTS)
    for _ in range(100):
        value = random_value(rng)
        texts.append(json.dumps(value, ensure_ascii=rng.random() < 0.5, indent=rng.choice([None, 1, "\t"])))
    return [{"text": text, "canonical": canonical(json.loads(text))} for text in texts]


# Signatures

def signature_vectors():
    vectors = []
    for entity, version, value in [
        ("hs1", "auto", {}),
        ("example.com:8448", "a_1", {"one": 1, "two": "Two"}),
        ("[::1]:8448", "1", {"unsigned": {"age": 5}, "b": [], "a": None}),
        ("hs1", "auto", {"signatures": {"hs2": {"ed25519:x": "someone else's"}}, "é": "😀\n\u2028"}),
        ("hs1", "b", {"signatures": {"hs1": {"ed25519:a": "an older key's"}}, "nested": {"signatures": 1, "unsigned": 2}}),
        ('an "entity"', 'with \\ in it', {"a": MAX, "b": -MAX}),
    ]:
        seed, signing_key = key("signature " + entity + version, version)
        signed = sign_json(copy.deepcopy(value), entity, signing_key)
        verify_signed_json(signed, entity, get_verify_key(signing_key))
        vectors.append({
            "seed": seed, "entity": entity, "key_id": "ed25519:" + version,
            "object": json.dumps(value), "signed": canonical(signed),
        })
    return vectors


# Events

ALWAYS = "event_id type room_id state_key content hashes signatures depth prev_events auth_events origin_server_ts".split()
FORMATS = {
    # name: the top-level fields that it keeps beside those
    "10": ["sender", "prev_state", "origin", "membership"],
    "11": ["sender"],
    "dendrite": ["sender", "prev_state", "origin", "membership"],
    "msc4014": ["sender_key", "prev_state", "origin", "membership"],
    "msc4014-letter": ["sender", "prev_state", "origin", "membership"],
}
CONTENT = {
    "m.room.member": ["membership", "join_authorised_via_users_server"],
    "m.room.create": ["creator"],
    "m.room.join_rules": ["join_rule", "allow"],
    "m.room.power_levels": "ban events events_default kick redact state_default users users_default".split(),
    "m.room.history_visibility": ["history_visibility"],
}


def redact(event, form):
    kind, content = event["type"], event["content"]
    kept = {k: v for k, v in content.items() if k in CONTENT.get(kind, [])}
    if form == "11":
        if kind == "m.room.create":
            kept = content
        if kind == "m.room.power_levels" and "invite" in content:
            kept["invite"] = content["invite"]
        if kind == "m.room.redaction" and "redacts" in content:
            kept["redacts"] = content["redacts"]
        if kind == "m.room.member" and "signed" in content.get("third_party_invite", {}):
            kept["third_party_invite"] = {"signed": content["third_party_invite"]["signed"]}
    redacted = {k: v for k, v in event.items() if k in ALWAYS + FORMATS[form]}
    redacted["content"] = kept
    return redacted


def without(event, *fields):
    return {k: v for k, v in event.items() if k not in fields}


def digest(event):
    return hashlib.sha256(encode_canonical_json(event)).digest()


CONTENTS = [
    ("m.room.create", "", {"creator": "KEY", "room_version": "org.matrix.msc4014", "m.federate": True, "type": "m.space"}),
    ("m.room.member", "KEY", {"membership": "join", "displayname": "Alice 😀", "avatar_url": "mxc://hs1/a", "MAPPING": True}),
    ("m.room.member", "KEY", {"membership": "invite", "third_party_invite": {"display_name": "a…", "signed": {"token": "t", "mxid": "@a:hs1"}}}),
    ("m.room.member", "KEY", {"membership": "join", "join_authorised_via_users_server": "KEY", "reason": "\n"}),
    ("m.room.power_levels", "", {"users": {"KEY": 100}, "users_default": 0, "ban": 50, "kick": 50, "redact": 50, "invite": 0,
                                 "events": {"m.room.name": 50}, "events_default": 0, "state_default": 50, "notifications": {"room": 50}}),
    ("m.room.join_rules", "", {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": "!r:hs1"}], "x": 1}),
    ("m.room.history_visibility", "", {"history_visibility": "joined", "x": 1}),
    ("m.room.name", "", {"name": "名前"}),
    ("m.room.message", None, {"body": "\"hello\"\t\u2028<b>", "msgtype": "m.text", "m.mentions": {}}),
    ("m.room.redaction", None, {"redacts": "$x", "reason": "why"}),
    ("", None, {}),
]


def event_vectors():
    vectors = []
    server_seed, server = key("server hs1", "auto")
    for form in FORMATS:
        for kind, state_key, content in CONTENTS:
            seed, signing_key = key("sender %s %s" % (form, kind), "1")
            public = encode_verify_key_base64(signing_key.verify_key)
            pseudonymous = form not in ("10", "11")
            sender = public if pseudonymous else "@alice:hs1"
            content = json.loads(json.dumps(content).replace("KEY", sender))
            if content.pop("MAPPING", False) and pseudonymous:
                content["mxid_mapping"] = sign_json({
                    "user_room_key" if form == "dendrite" else "sender_key": public, "user_id": "@alice:hs1",
                }, "hs1", server)
            event = {
                "type": kind, "room_id": "!r:hs1", "content": content, "depth": 12, "origin_server_ts": 1700000000000,
                "prev_events": ["$a"], "auth_events": ["$b", "$c"], "prev_state": [], "origin": "hs1", "redacts": "$x",
                "sender_key" if form.startswith("msc4014") else "sender": sender,
                "unsigned": {"age": 1}, "unknown": {"z": 1, "a": [None]},
            }
            if state_key is not None:
                event["state_key"] = state_key.replace("KEY", sender)
            content_hash = encode_base64(digest(without(event, "signatures", "unsigned", "hashes")))
            event["hashes"] = {"sha256": content_hash}
            entity, signer, signer_seed = (public, signing_key, seed) if pseudonymous else ("hs1", server, server_seed)
            signatures = sign_json(redact(event, form), entity, signer)["signatures"]
            reference = digest(without(redact(event, form), "signatures", "unsigned"))
            vectors.append({
                "format": form, "seed": signer_seed, "entity": entity, "key_id": "ed25519:" + signer.version,
                "event": json.dumps(without(event, "hashes")), "content_hash": content_hash,
                "event_id": "$" + base64.urlsafe_b64encode(reference).decode().rstrip("="),
                "redacted": canonical(dict(redact(event, form), signatures=signatures)),
                "signed": canonical(dict(event, signatures=signatures)),
            })
    return vectors


# Mappings

def mapping_vectors():
    vectors = []
    for dialect, field in [("msc4014", "sender_key"), ("dendrite", "user_room_key")]:
        for server in ["hs1", "example.com:8448", "[::1]"]:
            public = encode_verify_key_base64(key("mapped " + server, "1")[1].verify_key)
            seed, signing_key = key("server " + server, "auto")
            user_id = "@alice:" + server
            signed = sign_json({field: public, "user_id": user_id}, server, signing_key)
            vectors.append({
                "dialect": dialect, "key": public, "user_id": user_id, "server": server, "seed": seed, "key_id": "ed25519:auto",
                "signed": canonical(signed),
            })
    return vectors


def main():
    packages = ["canonicaljson", "signedjson", "simplejson", "pynacl", "unpaddedbase64"]
    json.dump({
        "made_with": {p: importlib.metadata.version(p) for p in packages},
        "canonical": canonical_vectors(),
        "signatures": signature_vectors(),
        "events": event_vectors(),
        "mappings": mapping_vectors(),
    }, sys.stdout, indent=1, ensure_ascii=True)
    print()


if __name__ == "__main__":
    main()
