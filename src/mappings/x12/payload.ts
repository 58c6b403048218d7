import Type from 'typebox'

/** What the file reader puts into the inbox for one transaction set: the set as it came, and what it needs of its envelope. */
export const SetRow = Type.Object({
  set: Type.String({ minLength: 3, maxLength: 3 }),
  text: Type.String({ minLength: 1 }),
  delimiters: Type.Object({
    element: Type.String({ minLength: 1, maxLength: 1 }),
    component: Type.String({ minLength: 1, maxLength: 1 }),
    segment: Type.String({ minLength: 1, maxLength: 1 }),
    repetition: Type.Union([Type.String({ minLength: 1, maxLength: 1 }), Type.Null()]),
  }),
  interchange: Type.Object({ control: Type.String(), usage: Type.String() }),
  group: Type.Object({ control: Type.String(), date: Type.String(), time: Type.String(), version: Type.String() }),
})

/** One TA1 segment, taken apart. */
export const Ta1Row = Type.Object({ elements: Type.Array(Type.String()), date: Type.String(), time: Type.String() })
