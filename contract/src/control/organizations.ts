import * as z from 'zod';
import { nameText, slugText } from './values.ts';

export const organizationCreateSchema = z.strictObject({ id: slugText, name: nameText.exactOptional() });
export const organizationViewSchema = z.object({ id: z.string(), name: z.string() });
export const suspendedSchema = z.object({ id: z.string(), suspended: z.boolean() });
export const organizationListSchema = z.object({ organizations: z.array(organizationViewSchema) });

export const projectCreateSchema = z.strictObject({ id: slugText, name: nameText.exactOptional() });
export const projectViewSchema = z.object({ organizationId: z.string(), id: z.string(), name: z.string() });
export const projectListSchema = z.object({ projects: z.array(projectViewSchema) });
