/** Demand by hour of the local day, any scale; normalized to mean 1 when read. */
export interface DemandProfile {
  readonly id: string;
  readonly utcOffsetHours: number;
  readonly hours: readonly number[];
  readonly source: string;
}

export const PROFILES: readonly DemandProfile[] = [
  { id: 'flat', utcOffsetHours: 8, hours: Array.from({ length: 24 }, () => 1), source: 'no variation' },
  {
    id: 'consumer-cn',
    utcOffsetHours: 8,
    hours: [
      0.7, 0.45, 0.3, 0.22, 0.2, 0.25, 0.4, 0.7, 1.05, 1.35, 1.45, 1.35, 1.2, 1.3, 1.45, 1.5, 1.45, 1.3, 1.2, 1.35, 1.5,
      1.5, 1.3, 1.0,
    ],
    source: 'assumed: a Chinese chat service with office and evening humps; replace by your own meter',
  },
  {
    id: 'office-cn',
    utcOffsetHours: 8,
    hours: [
      0.2, 0.12, 0.1, 0.1, 0.1, 0.12, 0.25, 0.7, 1.4, 2.1, 2.3, 2.0, 1.3, 1.9, 2.3, 2.3, 2.1, 1.6, 1.0, 0.8, 0.7, 0.6,
      0.45, 0.3,
    ],
    source: "assumed: a company's working day; replace by your own meter",
  },
];
