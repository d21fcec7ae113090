/** The members of the kit as tests outside of it use them. */
export { scriptWith as goodScript } from "./members/good.ts";
export { type Script, startFakeMember, type TestMember as FakeMember } from "./members/member.ts";
