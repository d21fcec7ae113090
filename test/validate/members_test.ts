/** The kit of misbehaving members under every rule set, over unix sockets and TCP. */
import { CONTENTS } from "./members/contents.ts";
import { ENVELOPES } from "./members/envelopes.ts";
import { FRAMING } from "./members/framing.ts";
import { testMembers } from "./members/judge.ts";
import { TIMING } from "./members/timing.ts";

testMembers("envelopes", ENVELOPES);
testMembers("contents", CONTENTS);
testMembers("framing", FRAMING);
testMembers("timing and order", TIMING);
