/**
 * What a transaction set is made of (releases 004010 to 005010), in the order of its segments: `!` must be there, `*n` may be there n
 * times (a bare `*`: any number of times), `( … )` is a loop that begins with its first segment. Counts are wider than the standard's,
 * because too many notes harm nobody.
 */
const GRAMMARS: Readonly<Record<string, string>> = {
  '940': `ST! W05! (N1 N2*2 N3*2 N4 N9*20 PER*3)*20 N9*50 G61*3 G62*20 NTE*50 W09 W66 W6*10
    (LX! MAN*50 N9*50 (W01! G69*5 N9*200 NTE*50 W20*2 QTY*10 AMT*10 G72*50 MAN*50 G62*20)*9999)*9999 W76 SE!`,
  '943': `ST! W06! (N1! N2*2 N3*2 N4 N9*20 PER*3)*20 N9*50 G61*3 G62*20 NTE*50 W27 W28 W10*20
    (W04! G69*5 N9*200 W20*2 NTE*50 MAN*50)!*9999 W03! SE!`,
  '944': `ST! W17! (N1 N2*2 N3*2 N4 N9*20 PER*3)*20 N9*50 G61*3 G62*20 NTE*50 W08 W18*20 G08*20
    (W07! G69*5 N9*200 W20*2 QTY*10 MEA*40 NTE*50 (W13! N9*50)*50)!*9999 W14! SE!`,
  '945': `ST! W06! (N1 N2*2 N3*2 N4 PER*3)*20 N9*200 G61*3 G62*20 NTE*50 W27 W6*10 W28*10 W10*20 G72*50
    (LX! MAN*200 PAL N9*200 (W12! G69*5 N9*200 G62*20 QTY*10 MEA*40 AMT*10 R4*20 W27*5 NTE*50 MAN*200 (N1 N2*2 N3*2 N4)*10 G72*50)*9999)!*9999 W03! SE!`,
  '947': `ST! W15! (N1 N2*2 N3*2 N4 N9*20 PER*3)*20 N9*50 G61*3 G62*20 NTE*50 (LM LQ*100)*10
    (W19! G69*5 N9*200 CS AMT*10 G62*20 NTE*50 (N1 N2*2 N3*2 N4)*10 (LM LQ*100)*10 (LX MAN*200)*)!*9999 SE!`,
  '846': `ST! BIA! CUR DTM*20 REF*50 PER*3 MEA*40 G62*20 (N1 N2*2 N3*2 N4 REF*50 PER*3)*20 (LM LQ*100)*10
    (LIN! PID*200 MEA*40 PKG*25 DTM*20 CTP*25 CUR SAC*25 REF*50 PER*3 SDQ*500 MAN*10 (LM LQ*100)*10 (SLN PID*50)*
      (QTY! MEA*40 UIT*10 LDT DTM*20 REF*50 (LM LQ*100)*10 (LS LDT LE)*10)*200 (SCH PER TD1 REF)*50 (N1 N2*2 N3*2 N4 REF*50 PER*3 (LDT MAN*10 QTY*10 MEA REF*50)*10)*200)!* CTT SE!`,
  '850': `ST! BEG! CUR REF* PER*3 TAX* FOB* CTP* PAM*10 CSH*5 TC2* (SAC CUR)*25 ITD* DIS*20 INC DTM*20 LDT*12 LIN*5 SI* PID*200 MEA*40 PWK*25 PKG*200
    TD1*2 TD5*12 TD3*12 TD4*5 MAN*10 PCT* CTB*5 TXI* (LDT QTY* MAN* REF*)* (AMT REF* DTM FA2*)* (N9 DTM* MSG* PWK* EFI* MTX*)*
    (N1 N2*2 N3*2 N4 NX2* REF* PER* SI* FOB TD1 TD5*12 TD3*12 TD4*5 PKG*200 MSG*)*200
    (LM LQ!*)* (SPI REF*5 DTM*5 MSG*50 (N1 N2*2 N3*2 N4 REF*20 G61 MSG*50)* (CB1 REF* DTM* LDT MSG*)*)* (ADV DTM* MTX*)*
    (PO1! LIN* SI* CUR CN1 PO3*25 (CTP CUR)* PAM*10 CTB* MEA*40 (PID MEA*10)*1000 PWK*25 PO4* REF* PER*3 (SAC CUR CTP)*25 IT8* CSH* ITD*2 DIS*20 INC TAX* FOB* SDQ*500
      IT3*5 DTM*20 TC2* TD1 TD5*12 TD3*12 TD4*5 PCT* MAN*10 MSG* SPI* TXI* CTB* QTY* SCH*200 (PKG MEA)*200 (LDT QTY* MSG* REF* )* (SCH TD1*2 TD5*12 TD3*12 TD4*5 REF*)*200
      (LS LDT LE)* (N9 DTM* MSG* PWK* MTX*)* (N1 N2*2 N3*2 N4 QTY NX2* REF*12 PER*3 SI* DTM FOB TD1 TD5*12 TD3*12 TD4*5 PKG*200 MSG*)*200 (SLN MSG* SI* PID* PO3* (CTP)* PAM* (SAC CTP)* DTM* ADV QTY* TAX* REF*)*1000 (AMT REF* PCT*)* (LM LQ!*)*)!*
    (CTT AMT)  SE!`,
  '860': `ST! BCH! CUR REF* PER*3 TAX* FOB* CTP* PAM*10 CSH*5 TC2* (SAC CUR)*25 ITD* DIS*20 INC DTM*20 LIN*5 SI* PID*200 MEA*40 PWK*25 PKG*200
    TD1*2 TD5*12 TD3*12 TD4*5 MAN*10 PCT* CTB*5 TXI* (LDT QTY* MAN* REF*)* (AMT REF* DTM FA2*)* (N9 DTM* MSG* PWK* MTX*)*
    (N1 N2*2 N3*2 N4 NX2* REF* PER* SI* FOB TD1 TD5*12 TD3*12 TD4*5 PKG*200)*200
    (POC! LIN* SI* CUR CN1 PO3*25 (CTP CUR)* PAM*10 MEA*40 (PID MEA*10)*1000 PWK*25 PO4* REF* PER*3 (SAC CUR CTP)*25 IT8* CSH* ITD*2 DIS*20 INC TAX* FOB* SDQ*500 DTM*20
      TD1 TD5*12 TD3*12 TD4*5 MAN*10 MSG* QTY* SCH*200 (N9 DTM* MSG*)* (N1 N2*2 N3*2 N4 REF*12 PER*3)*200)* (CTT AMT) SE!`,
  '855': `ST! BAK! CUR REF* PER*3 TAX* FOB* CTP* SAC*25 ITD* CSH*5 DTM*20 PID*200 TD5*12 (N9 MSG*)* (N1 N2*2 N3*2 N4 REF*12 PER*3)*200
    (PO1! CUR CTP* PAM* (PID)*1000 PO4* REF* SAC*25 DTM*20 TD5*12 (ACK DTM)*104 (SCH REF*)*200 (N9 MSG*)* (N1 N2*2 N3*2 N4)*200)* (CTT AMT) SE!`,
  '856': `ST! BSN! DTM*20 (HL! LIN SN1 SLN* PRF PO4 PID*200 MEA*40 PWK*25 PKG*25 TD1*20 TD5*12 TD3*12 TD4*5 TSD REF* PER*3 CLD* MAN* DTM*20 FOB PAL (N1 N2*2 N3*2 N4 REF*12 PER*3 FOB)*200 SDQ*50 SAC*)!* CTT SE!`,
  '810': `ST! BIG! NTE*100 CUR REF*50 YNQ*10 PER*3 (N1 N2*2 N3*2 N4 REF*12 PER*3 DMG)*200 ITD* DTM*20 FOB PID*200 MEA*40 PWK*25 PKG*25 L7 BAL* INC PAM*
    (IT1! CRC*1 QTY*5 CUR IT3*5 TXI*10 CTP*25 PAM* MEA*40 (PID MEA*10)*1000 PWK*25 PKG*25 PO4 ITD*2 REF* YNQ* PER*5 SDQ*500 DTM*20 (SAC TXI*10)*25 (SLN DTM REF* PID*1000)*1000 (N1 N2*2 N3*2 N4 REF*12 PER*3)*200)*
    TDS! TXI*10 CAD AMT* (SAC TXI*10)*25 (ISS PID)* CTT SE!`,
  '997': 'ST! AK1! (AK2 (AK3 AK4*99)*9999 AK5!)*9999 AK9! SE!',
  '999': 'ST! AK1! (AK2 (IK3 CTX*10 (IK4 CTX*10)*99)*9999 IK5!)*9999 AK9! SE!',
} // prettier-ignore

export interface Part {
  /** Name of the segment, or of the loop's first one. */
  id: string
  mandatory: boolean
  max: number
  /** What may follow inside a loop; null: a single segment. */
  loop: readonly Part[] | null
}

/** Reads a grammar: tokens are names with their marks, and parentheses. */
function parse(text: string): Part[] {
  const tokens = text.match(/[()]!?(?:\*\d*)?|[A-Z0-9]+!?(?:\*\d*)?/g) ?? []
  const root: Part[] = []
  const stack: Part[][] = [root]
  for (const token of tokens) {
    const level = stack.at(-1) ?? root
    if (token.startsWith('(')) {
      stack.push([])
      continue
    }
    const mandatory = token.includes('!')
    const [, times] = /\*(\d*)/.exec(token) ?? []
    const max = times === undefined ? 1 : times === '' ? Number.MAX_SAFE_INTEGER : Number(times)
    if (!token.startsWith(')')) {
      level.push({ id: token.replace(/[!*].*/, ''), mandatory, max, loop: null })
      continue
    }
    stack.pop()
    const [first, ...rest] = level
    if (first !== undefined) stack.at(-1)?.push({ id: first.id, mandatory, max, loop: rest })
  }
  return root
}

const read = new Map<string, readonly Part[]>()

/** The parts of a transaction set; undefined for one that nothing is known of. */
export function grammarOf(id: string): readonly Part[] | undefined {
  if (!Object.hasOwn(GRAMMARS, id)) return undefined
  const known = read.get(id) ?? parse(GRAMMARS[id] ?? '')
  read.set(id, known)
  return known
}

/** The functional group that a set belongs to (GS01). */
export const GROUP_OF: Readonly<Record<string, string>> = {
  '940': 'OW', '943': 'AR', '944': 'RE', '945': 'SW', '947': 'AW', '846': 'IB', '850': 'PO', '860': 'PC', '855': 'PR', '856': 'SH',
  '810': 'IN', '997': 'FA', '999': 'FA',
} // prettier-ignore

const KNOWN_SEGMENTS = new Set(Object.values(GRAMMARS).flatMap((text) => text.match(/[A-Z][A-Z0-9]{1,2}/g) ?? []))

/** Whether any set has such a segment: a name that none has is unknown, one that others have is out of place. */
export const isKnownSegment = (id: string): boolean => KNOWN_SEGMENTS.has(id)
