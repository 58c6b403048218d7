import Type from 'typebox'
import { closed, Id, Nullable, Quantity } from './schema.ts'

/** Something a channel offers for sale, as the channel names it. `external` holds the ids its stock write needs. */
export const Listing = Type.Object(
  {
    channel_sku: Id,
    title: Nullable(Type.String({ maxLength: 500 })),
    external: Type.Record(Type.String({ maxLength: 60 }), Type.String({ maxLength: 200 })),
    /** What the channel shows now, where it tells. */
    quantity: Nullable(Quantity),
  },
  closed,
)
export type Listing = Type.Static<typeof Listing>
